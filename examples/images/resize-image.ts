import { Type } from '@fastify/type-provider-typebox'
// In an app of your own: from 'fastify-background-tasks'
import { defineTask } from '../../index.js'

const Size = Type.Object({ width: Type.Integer(), height: Type.Integer() })

/** Makes smaller copies of an image, in a worker thread. */
export const resizeImage = defineTask({
  name: 'resize-image',
  payload: Type.Object({
    upload: Type.String(),
    folder: Type.String(),
    widths: Type.Array(Type.Integer({ minimum: 1, maximum: 4096 }), { minItems: 1 })
  }),
  result: Type.Object({ original: Size, copies: Type.Array(Size) }),
  // In an app that is compiled, a .js file: the one that is there when the app runs.
  file: new URL('./resize-thread.ts', import.meta.url),
  timeout: 60_000
})
