import { errorCodes, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AppTasks } from './lib/app/app-tasks.js'
import { memoryEngine } from './lib/engines/memory/memory-engine.js'
import { Executor } from './lib/run/executor.js'
import { pluginOptions, type ResolvedRouteOptions, routeOptions } from './lib/options/options.js'
import { discardBody, holdBody } from './lib/request/held-body.js'
import { concludeIfOver, watchResponse } from './lib/request/response-end.js'
import { createRunner } from './lib/stored/run-for-engine.js'
import { createDrain } from './lib/app/shutdown.js'
import { Store } from './lib/stored/store.js'
import { TaskList } from './lib/request/task-list.js'
import { Threads } from './lib/threads/threads.js'
import { loadTraceContext } from './lib/stored/trace-context.js'
import type { BackgroundTasksOptions, NamedTask, RequestBackgroundTasks, RouteTaskOptions, StoredTask } from './types/index.js'

export type * from './types/index.js'
export { defineTask } from './lib/named/define-task.js'
export { errors } from './lib/errors.js'
export { Type } from './lib/named/type.js'

const kTasks = Symbol('fastify-background-tasks.tasks')

interface TrackedRequest extends FastifyRequest {
  /** The reply, from our onRequest hook on, until a task list takes its place. */
  [kTasks]?: FastifyReply | TaskList
}

async function plugin (app: FastifyInstance, options: BackgroundTasksOptions): Promise<void> {
  // In a child context Fastify itself would let it pass.
  if (app.hasDecorator('backgroundTasks')) throw new errorCodes.FST_ERR_DEC_ALREADY_PRESENT('backgroundTasks')
  const resolved = pluginOptions(options)
  await loadTraceContext()
  const executor = new Executor(resolved)
  const store = new Store(executor, resolved.engine ?? memoryEngine(), resolved)
  const threads = new Threads(resolved.threads, app.log)
  const routes = new WeakMap<RouteTaskOptions, ResolvedRouteOptions>()

  function optionsOf (config: RouteTaskOptions | undefined): ResolvedRouteOptions {
    if (config === undefined) return resolved.route
    let options = routes.get(config)
    if (options === undefined) routes.set(config, options = routeOptions(resolved.route, config))
    return options
  }

  function listOf (request: TrackedRequest): TaskList {
    const known = request[kTasks]
    if (known instanceof TaskList) return known
    const { log, server, id: reqId } = request
    const list = new TaskList(store, optionsOf(request.routeOptions.config.backgroundTasks), { server, log, reqId, request })
    list.reply = known
    request[kTasks] = list
    watchResponse(list, request, known)
    return list
  }

  const appList = new TaskList(store, resolved.route, { server: app, log: app.log })
  threads.decorate(app)
  app.decorate('backgroundTasks', new AppTasks(store, appList, register))
  app.decorateRequest<RequestBackgroundTasks>('backgroundTasks', {
    getter () {
      return listOf(this)
    }
  })

  app.addHook('onRoute', ({ config }) => {
    optionsOf(config?.backgroundTasks)
  })

  app.addHook('onRequest', (request: TrackedRequest, reply, done) => {
    const list = request[kTasks]
    if (list instanceof TaskList) {
      list.reply = reply
      watchResponse(list, request, reply)
    } else {
      request[kTasks] = reply
    }
    done()
  })

  app.addHook('onResponse', (request: TrackedRequest, reply, done) => {
    const list = request[kTasks]
    if (list instanceof TaskList) concludeIfOver(list, request, reply)
    done()
  })

  // What registered tasks need costs nothing where there are none.
  let hasNamedTasks = false
  function register (...tasks: NamedTask[]): void {
    if (!hasNamedTasks && tasks.length > 0) storeBeforeSend()
    store.register(tasks)
  }

  function storeBeforeSend (): void {
    app.addHook('onSend', (request: TrackedRequest, reply, payload, done) => {
      const list = request[kTasks]
      const stored = list instanceof TaskList ? list.beforeSend(reply.statusCode) : undefined
      if (stored === undefined) {
        done(null, payload)
        return
      }
      const bodyError = holdBody(payload)
      const pass = (): void => {
        const error = bodyError()
        // Of a reply that has begun, or whose client has gone, Fastify only logs the error of its body.
        if (error === null || reply.raw.headersSent || request.raw.aborted) done(null, payload)
        else done(error)
      }
      const fail = (error: Error & { statusCode: number }): void => {
        (list as TaskList).storesLate = true
        discardBody(payload)
        // Fastify gives an error in the middle of its own error reply the status of that reply.
        reply.code(error.statusCode)
        done(error)
      }
      // A reply that cannot be written makes `done` throw, which is an error of this reply too.
      stored.then(pass, fail).catch(done)
    })
    hasNamedTasks = true
  }
  register(...resolved.tasks)

  app.addHook('onReady', async () => {
    const { worker, concurrency, history } = resolved
    const run = createRunner(store, listFor)
    store.isStarted = true
    await store.engine.start({ log: app.log, worker, concurrency, history, run, due: (id) => { store.due(id) } })
  })

  function listFor ({ reqId }: StoredTask): TaskList {
    return new TaskList(store, resolved.route, { server: app, log: reqId === undefined ? app.log : app.log.child({ reqId }), reqId })
  }

  const drain = createDrain(store, resolved.closeTimeout, app.log)

  // Added to avvio's queue while it closes, so that tasks end before any other onClose hook takes away what they use.
  const drainFirst = (): void => {
    (app as unknown as { onClose (fn: () => Promise<void>): void }).onClose(() => drain(false))
  }
  app.addHook('preClose', (done) => {
    app.server.off('close', drainFirst)
    executor.stopRetrying()
    store.pause()
    drainFirst()
    done()
  })
  // Behind another plugin's preClose hook that fails, ours is not called. The server may also be closed by hand: then
  // nothing but a place in the queue is taken, and tasks go on.
  app.server.once('close', drainFirst)

  // What the other onClose hooks, or handlers whose client had gone, have added since.
  app.addHook('onClose', async () => {
    try {
      await drain(true)
    } finally {
      try {
        await store.engine.close()
      } finally {
        await threads.close()
      }
    }
  })
}

/** Adds `backgroundTasks` to every request and to the app. Register it once, before the routes that use it. */
export const backgroundTasks = fp(plugin, { fastify: '^5.0.0 || ^6.0.0-alpha', name: 'fastify-background-tasks' })
export default backgroundTasks
