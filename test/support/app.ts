import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions } from '../../index.js'

/** An app with the plugin, closed when the test is over. Routes may still be added. */
export async function createApp (
  t: Test, options: BackgroundTasksOptions = {}, serverOptions: FastifyServerOptions = {}
): Promise<FastifyInstance> {
  const app = Fastify(serverOptions)
  t.teardown(() => app.close())
  await app.register(backgroundTasks, { closeTimeout: 0, ...options })
  return app
}
