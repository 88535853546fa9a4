import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
// In an app of your own: import { taskRoutes } from 'fastify-background-tasks/routes'
import { taskRoutes } from '../../lib/routes.js'
import { buildReport } from '../tasks/build-report.js'

const schema = {
  body: Type.Object({ year: Type.Integer({ minimum: 2000, maximum: 2099 }) }),
  response: { 202: Type.Object({ id: Type.String({ format: 'uuid' }) }) }
}

/** POST /reports answers 202 and says where to follow the report; GET /tasks/:id and its events show how far it is. */
export const reports: FastifyPluginAsyncTypebox = async (app) => {
  app.backgroundTasks.register(buildReport)
  await app.register(taskRoutes, { prefix: '/tasks', cancel: true })

  app.post('/reports', { schema }, async (req, reply) => {
    const { id } = req.backgroundTasks.add(buildReport, req.body)
    return reply.code(202).header('location', `/tasks/${id}`).send({ id })
  })
}
