import type { FastifyPluginAsync, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import type { AppTasks } from './app/app-tasks.js'
import { NOT_FOUND, cancelForClient } from './status/cancel-task.js'
import { EventStreams } from './status/event-streams.js'
import { cancelSchema, eventsSchema, getSchema } from './status/schemas.js'
import { taskRoutesOptions } from './options/plugin-options.js'

/** Options of `app.register(taskRoutes, options)`. */
export interface TaskRoutesOptions {
  /**
   * Adds the route `DELETE /:id`, which cancels a task.
   * @default false
   */
  cancel?: boolean
  /** Hooks for all of the routes, such as the authentication of the app. */
  onRequest?: onRequestHookHandler | onRequestHookHandler[]
}

interface TaskRoute {
  Params: { id: string }
}

const routes: FastifyPluginAsync<TaskRoutesOptions> = async (app, options) => {
  taskRoutesOptions(options)
  const tasks = app.backgroundTasks as AppTasks
  const streams = new EventStreams(tasks)

  for (const hook of [options.onRequest ?? []].flat()) app.addHook('onRequest', hook)

  // An open stream would hold up close until the stream ends.
  app.addHook('preClose', async () => { streams.close() })

  app.get<TaskRoute>('/:id', { schema: { ...getSchema } }, async (request, reply) => {
    const snapshot = await tasks.get(request.params.id)
    return snapshot ?? reply.code(404).send(NOT_FOUND)
  })

  app.get<TaskRoute>('/:id/events', { exposeHeadRoute: false, schema: { ...eventsSchema } }, async (request, reply) => {
    const stream = await streams.open(request.params.id, reply.raw)
    if (stream === undefined) return await reply.code(404).send(NOT_FOUND)
    reply.headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' })
    return await reply.send(stream)
  })

  if (options.cancel !== true) return

  app.delete<TaskRoute>('/:id', { schema: { ...cancelSchema } }, async (request, reply) => {
    const answer = await cancelForClient(tasks, request.params.id, 'cancelled by request')
    return 'statusCode' in answer ? await reply.code(answer.statusCode).send(answer) : answer
  })
}

/** Adds status routes for clients that know the id of a task: `app.register(taskRoutes, { prefix: '/tasks' })`. */
export const taskRoutes = fp(routes, {
  name: 'fastify-background-tasks-routes',
  dependencies: ['fastify-background-tasks'],
  encapsulate: true
})
export default taskRoutes
