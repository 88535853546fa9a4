import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { access, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import multipart from '@fastify/multipart'
import { type TypeBoxTypeProvider, Type } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyServerOptions } from 'fastify'
// In an app of your own: from 'fastify-background-tasks' and 'fastify-background-tasks/routes'
import backgroundTasks from '../../index.js'
import { taskRoutes } from '../../lib/routes.js'
import { resizeImage } from './resize-image.js'

export interface ImageAppOptions {
  /** Where uploads and their copies are kept. */
  folder: string
  logger?: FastifyServerOptions['logger']
}

const WIDTHS = [640, 320, 160]
const MAX_UPLOAD_BYTES = 10 * 1024 * 1024

export async function buildImageApp ({ folder, logger = false }: ImageAppOptions) {
  const app = Fastify({ logger }).withTypeProvider<TypeBoxTypeProvider>()

  await app.register(multipart, { limits: { files: 1, fileSize: MAX_UPLOAD_BYTES } })
  await app.register(backgroundTasks, {
    threads: { resourceLimits: { maxOldGenerationSizeMb: 512 } }
  })

  // GET /images/:id, its progress as GET /images/:id/events, and DELETE /images/:id, which ends the thread.
  await app.register(taskRoutes, { prefix: '/images', cancel: true })

  app.post('/images', async (request, reply) => {
    const upload = join(folder, randomUUID())
    // One of the request's tasks runs after the other, so the upload is removed once it has been resized, or has failed to be.
    const task = request.backgroundTasks.add(resizeImage, { upload, folder, widths: WIDTHS }, { when: 'success' })
    request.backgroundTasks.add({ name: 'remove upload' }, () => rm(upload, { force: true }))

    const part = await request.file()
    if (part === undefined) return await reply.code(400).send({ message: 'send an image as multipart/form-data' })
    await pipeline(part.file, createWriteStream(upload))
    if (part.file.truncated) return await reply.code(413).send({ message: `an image may have ${MAX_UPLOAD_BYTES} bytes` })

    return await reply.code(202).header('location', `/images/${task.id}`).send({ id: task.id })
  })

  app.get('/images/:id/:width', {
    schema: { params: Type.Object({ id: Type.String({ format: 'uuid' }), width: Type.Integer() }) }
  }, async ({ params: { id, width } }, reply) => {
    const path = `${join(folder, id)}-${width}.png`
    try {
      await access(path)
    } catch {
      return reply.callNotFound()
    }
    return await reply.type('image/png').send(createReadStream(path))
  })

  return app
}
