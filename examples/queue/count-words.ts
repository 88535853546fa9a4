import { Type } from '@fastify/type-provider-typebox'
import { defineTask } from '../../index.js'

/** What web processes and workers share: a declaration. Web processes never load what the handler needs. */
export const countWords = defineTask({
  name: 'count-words',
  payload: Type.Object({ text: Type.String() }),
  result: Type.Object({ words: Type.Integer() }),
  timeout: 30_000,
  retry: 3
})
