import { errorCodes, type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { AppTasks } from './lib/app/app-tasks.js'
import { endWithApp } from './lib/app/shutdown.js'
import { pluginOptions } from './lib/options/plugin-options.js'
import { RouteOptions } from './lib/options/route-options.js'
import { AppList } from './lib/request/app-list.js'
import { GuestList } from './lib/request/guest-list.js'
import { TaskList } from './lib/request/task-list.js'
import { trackRequests } from './lib/request/track-requests.js'
import { createRetried } from './lib/stored/retried-task.js'
import { createRunner } from './lib/stored/run-for-engine.js'
import { createServices } from './lib/stored/services.js'
import { loadTraceContext } from './lib/stored/trace-context.js'
import { Threads } from './lib/threads/threads.js'
import type { BackgroundTasksOptions, StoredTask } from './types/index.js'

export type * from './types/index.js'
export { defineTask, implementTask } from './lib/named/define-task.js'
export { errors } from './lib/errors.js'
export { Type } from './lib/named/type.js'

async function plugin (app: FastifyInstance, options: BackgroundTasksOptions): Promise<void> {
  // Fastify itself accepts a second registration in a child context.
  if (app.hasDecorator('backgroundTasks')) throw new errorCodes.FST_ERR_DEC_ALREADY_PRESENT('backgroundTasks')
  const resolved = pluginOptions(options)
  await loadTraceContext()
  const services = createServices(resolved)
  const threads = new Threads(resolved.threads, app.log)
  const routes = new RouteOptions(resolved.route)
  const appList = new AppList(services, resolved.route, { server: app, log: app.log })
  const appTasks = new AppTasks(app, services, appList)

  threads.decorate(app)
  app.decorate('backgroundTasks', appTasks)
  trackRequests(app, (request) => {
    const { log, server, id: reqId, routeOptions } = request
    return new TaskList(services, routes.of(routeOptions.config), { server, log, reqId, request })
  })
  app.addHook('onRoute', ({ config }) => { routes.of(config) })
  appTasks.register(...resolved.tasks)

  app.addHook('onReady', async () => {
    const { worker, concurrency, history } = resolved
    const { client, registry, schedules } = services
    registry.start(worker)
    await schedules.load()
    const listFor = ({ reqId }: StoredTask): TaskList => new GuestList(services, resolved.route, app, reqId)
    const run = createRunner(services, listFor)
    await client.start({ log: app.log, worker, concurrency, history, run, retried: createRetried(services, listFor) })
    if (worker) schedules.start(appList)
  })
  endWithApp(app, services, threads, resolved.closeTimeout)
}

/** Adds `backgroundTasks` to every request and to the app. Register the plugin once, before the routes that use it. */
export const backgroundTasks = fp(plugin, { fastify: '^5.0.0 || ^6.0.0-alpha', name: 'fastify-background-tasks' })
export default backgroundTasks
