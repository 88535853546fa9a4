import { type TypeBoxTypeProvider, Type } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyServerOptions } from 'fastify'
// In an app of your own: from 'fastify-background-tasks' and 'fastify-background-tasks/routes'
import backgroundTasks from '../../index.js'
import { taskRoutes } from '../../lib/routes.js'
import { CeleryEngine, type CeleryEngineOptions } from './celery-engine.js'
import { importFeed } from './import-feed.js'

export interface CeleryAppOptions {
  celery: CeleryEngineOptions
  logger?: FastifyServerOptions['logger']
}

/** A web process in front of Celery's workers. */
export async function buildCeleryApp ({ celery, logger = false }: CeleryAppOptions) {
  const app = Fastify({ logger }).withTypeProvider<TypeBoxTypeProvider>()

  // No task of Celery runs in this process. Functions still do.
  await app.register(backgroundTasks, { tasks: [importFeed], engine: new CeleryEngine(celery), worker: false })

  // In an app of your own: behind a log-in, as whoever knows an id can read and cancel.
  await app.register(taskRoutes, { prefix: '/imports', cancel: true })

  app.post('/imports', {
    schema: { body: Type.Object({ feed: Type.String({ pattern: '^[a-z]+$' }) }) }
  }, async (request, reply) => {
    const { id } = request.backgroundTasks.add(importFeed, { feed: request.body.feed })
    return await reply.code(202).header('location', `/imports/${id}`).send({ id })
  })

  return app
}
