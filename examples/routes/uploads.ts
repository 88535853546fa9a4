import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
import { type ProcessedUpload, processUpload } from '../tasks/process-upload.js'

const MAX_UPLOAD_BYTES = 10 * 1024 * 1024

const id = Type.String({ format: 'uuid' })

const postSchema = {
  body: Type.Unsafe<Buffer>({}),
  response: { 202: Type.Object({ id }) }
}

const getSchema = {
  params: Type.Object({ id }),
  response: {
    200: Type.Object({
      id,
      state: Type.String(),
      result: Type.Optional(Type.Object({
        bytes: Type.Integer(),
        gzippedBytes: Type.Integer(),
        sha256: Type.String()
      }))
    }),
    404: Type.Object({ message: Type.String() })
  }
}

/** POST /uploads accepts a file and says where to ask for the result; the file is processed afterwards. */
export const uploads: FastifyPluginAsyncTypebox = async (app) => {
  const results = new Map<string, ProcessedUpload>()

  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_req, body, done) => {
    done(null, body)
  })

  app.post('/uploads', { schema: postSchema, bodyLimit: MAX_UPLOAD_BYTES }, async (req, reply) => {
    const { id } = req.backgroundTasks.add({ name: 'processUpload' }, processUpload, req.body, results)
    return reply.code(202).header('location', `/uploads/${id}`).send({ id })
  })

  app.get('/uploads/:id', { schema: getSchema }, async (req, reply) => {
    const { id } = req.params
    const task = await app.backgroundTasks.get(id)
    if (task === undefined) return reply.code(404).send({ message: `there is no upload ${id}` })
    const result = results.get(id)
    return { id, state: task.state, ...(result && { result }) }
  })
}
