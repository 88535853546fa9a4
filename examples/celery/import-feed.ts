import { Type } from '@fastify/type-provider-typebox'
import { defineTask } from '../../index.js'

/** A task of `tasks.py`: its name there, and its keyword arguments. */
export const importFeed = defineTask({
  name: 'tasks.import_feed',
  payload: Type.Object({ feed: Type.String({ pattern: '^[a-z]+$' }) }),
  timeout: 60_000
})
