import http from 'node:http'
import { once } from 'node:events'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions } from '../../index.js'
import { dashboard, type DashboardOptions } from '../../lib/dashboard.js'
import { LiveClient } from './live-client.js'
import { type Log, createLog } from './log.js'
import { portOf } from './transports.js'

export const prefix = '/background-tasks'

export interface Reply {
  status: number
  headers: http.IncomingHttpHeaders
  body: string
}

export interface Scene {
  app: FastifyInstance
  log: Log
  /** Opens the stream of a view. */
  look: (view?: string, headers?: http.OutgoingHttpHeaders) => Promise<LiveClient>
  /** Sends a request to a path below the prefix. */
  ask: (path: string, options?: http.RequestOptions, body?: string) => Promise<Reply>
  /** Does something with a task, as the page does. */
  act: (id: string, action: 'retry' | 'cancel', headers?: http.OutgoingHttpHeaders) => Promise<Reply>
}

export interface SceneOptions {
  tasks?: BackgroundTasksOptions
  dashboard?: Partial<DashboardOptions>
  server?: FastifyServerOptions
  /** Registers more before the dashboard. */
  before?: (app: FastifyInstance) => unknown
  /** Registers more after the dashboard. */
  after?: (app: FastifyInstance) => unknown
}

/** Sends a request over HTTP, on a connection of its own. */
export async function send (app: FastifyInstance, path: string, options: http.RequestOptions = {}, body?: string): Promise<Reply> {
  const request = http.request({ agent: false, path, host: '127.0.0.1', port: await portOf(app), ...options })
  request.end(body)
  const [response] = await once(request, 'response') as [http.IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const all = Buffer.concat(chunks)
  return { status: response.statusCode!, headers: response.headers, body: all.toString(response.headers['content-encoding'] === undefined ? 'utf8' : 'base64') }
}

/** An app with a dashboard that anybody may look at. */
export async function createScene (t: Test, options: SceneOptions = {}): Promise<Scene> {
  const log = createLog()
  const app = Fastify({ logger: log.logger, forceCloseConnections: true, ...options.server })
  t.teardown(() => app.close())
  await app.register(backgroundTasks, { closeTimeout: 0, ...options.tasks })
  await options.before?.(app)
  await app.register(dashboard, { prefix, onRequest: async () => {}, ...options.dashboard })
  await options.after?.(app)
  return {
    app,
    log,
    look: (view = 'overview', headers) => LiveClient.open(t, app, `${prefix}/live?view=${view}`, headers),
    ask: (path, more, body) => send(app, `${prefix}${path}`, more, body),
    act: (id, action, headers) => send(app, `${prefix}/tasks/${id}/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-background-tasks': '1', 'sec-fetch-site': 'same-origin', ...headers }
    }, '{}')
  }
}
