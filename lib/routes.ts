import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
import type { onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import type { TaskSnapshot } from '../types/index.js'
import type { AppTasks } from './app/app-tasks.js'
import { EventStreams } from './status/event-streams.js'
import { FollowedTask } from './status/followed-task.js'
import { taskRoutesOptions } from './options/options.js'
import { isFinal } from './base/snapshot.js'

/** Options of `app.register(taskRoutes, options)`. */
export interface TaskRoutesOptions {
  /**
   * Adds `DELETE /:id`, which cancels.
   * @default false
   */
  cancel?: boolean
  /** The app's own authentication, run for each of the routes. */
  onRequest?: onRequestHookHandler | onRequestHookHandler[]
}

const STATES: Array<TaskSnapshot['state']> = ['waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled', 'skipped']
const Time = (description: string) => Type.String({ format: 'date-time', description })

const Snapshot = Type.Object({
  id: Type.String({ format: 'uuid' }),
  name: Type.String(),
  state: Type.Unsafe<TaskSnapshot['state']>({ type: 'string', enum: STATES }),
  attempt: Type.Integer({ minimum: 1, description: 'The attempt that runs, ran last or will run first' }),
  progress: Type.Optional(Type.Unknown({ description: 'What the task reported last: a number from 0 to 1, or any JSON' })),
  createdAt: Time('When the task was added'),
  startedAt: Type.Optional(Time('When its first attempt started')),
  finishedAt: Type.Optional(Time('When it ended')),
  error: Type.Optional(Type.Object({
    name: Type.String(),
    code: Type.Optional(Type.String()),
    message: Type.String()
  }, { description: 'Why it failed or was cancelled' })),
  result: Type.Optional(Type.Unknown({ description: 'What it returned, as its result schema declares' }))
}, { description: 'A background task' })

const Failure = (description: string) => Type.Object({
  statusCode: Type.Integer(),
  error: Type.String(),
  message: Type.String()
}, { description })

const params = Type.Object({ id: Type.String({ description: 'The id of the task' }) })
const notFound = { statusCode: 404, error: 'Not Found', message: 'there is no such task' }
const notUnfinished = { statusCode: 409, error: 'Conflict', message: 'the task has already ended' }

const routes: FastifyPluginAsyncTypebox<TaskRoutesOptions> = async (app, options) => {
  taskRoutesOptions(options)
  const tasks = app.backgroundTasks as AppTasks
  const streams = new EventStreams(tasks)

  for (const hook of [options.onRequest ?? []].flat()) app.addHook('onRequest', hook)

  // An open stream would hold up close() until it ends.
  app.addHook('preClose', async () => { streams.close() })

  app.get('/:id', {
    schema: {
      summary: 'The state of a background task, and its result once completed',
      params,
      response: { 200: Snapshot, 404: Failure('There is no such task') }
    }
  }, async (request, reply) => {
    const snapshot = await tasks.get(request.params.id)
    return snapshot ?? reply.code(404).send(notFound)
  })

  app.get('/:id/events', {
    exposeHeadRoute: false,
    schema: {
      summary: 'Follows a background task to its end by server-sent events',
      description: 'Events `state` and `progress`, whose data is the task as JSON. The last event is the final `state`.',
      params,
      response: {
        200: { description: 'A stream of events', content: { 'text/event-stream': { schema: Type.String() } } },
        404: Failure('There is no such task')
      }
    }
  }, async (request, reply) => {
    const stream = await streams.open(request.params.id, reply.raw)
    if (stream === undefined) return await reply.code(404).send(notFound)
    reply.headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' })
    // A stream is not a string, but what becomes one on its way.
    return await reply.send(stream as unknown as string)
  })

  if (options.cancel !== true) return

  app.delete('/:id', {
    schema: {
      summary: 'Cancels a background task',
      params,
      response: { 200: Snapshot, 404: Failure('There is no such task'), 409: Failure('The task has already ended') }
    }
  }, async (request, reply) => {
    const { id } = request.params
    const task = new FollowedTask(tasks, id)
    try {
      const snapshot = await task.get()
      if (snapshot === undefined) return await reply.code(404).send(notFound)
      if (isFinal(snapshot.state) || !await tasks.cancel(id, 'cancelled by request')) return await reply.code(409).send(notUnfinished)
      return await task.get() ?? { ...snapshot, state: 'cancelled' as const }
    } finally {
      task.end()
    }
  })
}

/** Status endpoints for tasks whose id the client was given: `app.register(taskRoutes, { prefix: '/tasks' })`. */
export const taskRoutes = fp(routes, {
  fastify: '5.x',
  name: 'fastify-background-tasks-routes',
  dependencies: ['fastify-background-tasks'],
  encapsulate: true
})
export default taskRoutes
