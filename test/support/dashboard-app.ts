import { once } from 'node:events'
import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import { type BackgroundTasksOptions, type NamedTask, defineTask } from '../../index.js'
import { dashboard, type DashboardOptions } from '../../lib/dashboard.js'
import { createApp } from './app.js'
import { portOf } from './transports.js'

interface Options {
  plugin?: BackgroundTasksOptions
  dashboard?: Partial<DashboardOptions> & { prefix?: string }
  server?: FastifyServerOptions
  /** A free port where none is given. */
  port?: number
  /** Adds routes and plugins. */
  extend?: (app: FastifyInstance) => unknown
}

/** An app with a dashboard that lets everybody in, listening. */
export async function createDashboard (t: Test, options: Options = {}): Promise<{ app: FastifyInstance, url: string, origin: string }> {
  const app = await createApp(t, options.plugin, { forceCloseConnections: true, ...options.server })
  await app.register(dashboard, { prefix: '/background-tasks', onRequest: [], ...options.dashboard })
  await options.extend?.(app)
  if (options.port !== undefined) await app.listen({ host: '127.0.0.1', port: options.port })
  const origin = `http://127.0.0.1:${await portOf(app)}`
  return { app, origin, url: `${origin}/background-tasks` }
}

/** A task that shows progress, and runs until it is cancelled. */
export function endlessTask (name: string): NamedTask {
  return defineTask({
    name,
    payload: {},
    async handler (_, task) {
      task.progress(0.42)
      await once(task.signal, 'abort')
    }
  })
}
