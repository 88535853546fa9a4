import type { FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { AppTasks } from './app/app-tasks.js'
import { addActions } from './dashboard/actions.js'
import { readAssets } from './dashboard/assets.js'
import type { ViewQuery } from './dashboard/create-view.js'
import { Live } from './dashboard/live.js'
import type { DashboardOptions } from './dashboard/options.js'
import { createPageHandler } from './dashboard/page-route.js'
import { mayAct } from './dashboard/permission.js'
import { createShowPayload } from './dashboard/show-payload.js'
import { secureReplies } from './dashboard/security-headers.js'
import { dashboardOptions } from './options/dashboard-options.js'

export type { DashboardOptions } from './dashboard/options.js'

const FULL = { statusCode: 503, error: 'Service Unavailable', message: 'too many pages of the dashboard are open' }
const NO_VIEW = { statusCode: 404, error: 'Not Found', message: 'there is no such view' }

const NO_PAGE = { statusCode: 404, error: 'Not Found', message: 'there is no such page' }

const plugin: FastifyPluginAsync<DashboardOptions> = async (app, options) => {
  dashboardOptions(options)
  const { actions, payload } = options
  const assets = readAssets()
  const tasks = app.backgroundTasks as AppTasks
  const live = new Live(tasks, assets.script, createShowPayload(payload, app.log))
  const hooks = [options.onRequest].flat()
  if (hooks.length === 0) app.log.warn({ url: app.prefix || '/' }, 'the dashboard of background tasks lets everybody in: option "onRequest" is []')

  secureReplies(app)
  for (const hook of hooks) app.addHook('onRequest', hook)

  // An open stream would hold up close until the stream ends.
  app.addHook('preClose', async () => { live.close() })

  app.get('/', createPageHandler(assets))

  app.get<{ Querystring: ViewQuery }>('/live', { exposeHeadRoute: false }, async (request, reply) => {
    const canAct = await mayAct(actions, request)
    if (live.isFull) return await reply.code(503).send(FULL)
    const stream = live.open(request.query, canAct, reply.raw)
    if (stream === undefined) return await reply.code(404).send(NO_VIEW)
    reply.headers({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' })
    return await reply.send(stream)
  })

  addActions(app, tasks, actions)

  // An app may have only one such handler without a prefix, which is its own.
  if (app.prefix !== '' && app.prefix !== '/') app.setNotFoundHandler((request, reply) => reply.code(404).send(NO_PAGE))
}

/** Adds a page that shows what the app is doing: `app.register(dashboard, { prefix: '/background-tasks', onRequest: requireAdmin })`. */
export const dashboard = fp(plugin, {
  name: 'fastify-background-tasks-dashboard',
  dependencies: ['fastify-background-tasks'],
  encapsulate: true
})
export default dashboard
