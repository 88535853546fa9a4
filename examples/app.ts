import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyServerOptions } from 'fastify'
// In an app of your own: import backgroundTasks from 'fastify-background-tasks'
import backgroundTasks from '../index.js'
// In an app of your own: import dashboard from 'fastify-background-tasks/dashboard'
import dashboard from '../lib/dashboard.js'
import { onlyThisMachine } from './hooks/only-this-machine.js'
import { mailer, type SmtpAddress } from './plugins/mailer.js'
import { home } from './routes/home.js'
import { orders } from './routes/orders.js'
import { reports } from './routes/reports.js'
import { signup } from './routes/signup.js'
import { slow } from './routes/slow.js'
import { uploads } from './routes/uploads.js'

export interface AppOptions {
  /** The server that takes our mail. */
  smtp: SmtpAddress
  /** Where the warehouse hears of orders. */
  warehouseUrl: string
  logger?: FastifyServerOptions['logger']
}

export async function buildApp ({ smtp, warehouseUrl, logger = false }: AppOptions) {
  const app = Fastify({ logger }).withTypeProvider<TypeBoxTypeProvider>()

  await app.register(backgroundTasks, {
    concurrency: 20,
    timeout: 30_000,
    closeTimeout: 10_000
  })
  await app.register(mailer, smtp)
  // In an app of your own: behind a log-in.
  await app.register(dashboard, { prefix: '/background-tasks', onRequest: onlyThisMachine, actions: true, payload: true })

  await app.register(home)
  await app.register(signup)
  await app.register(uploads)
  await app.register(orders, { warehouseUrl })
  await app.register(reports)
  await app.register(slow)

  return app
}

export type App = Awaited<ReturnType<typeof buildApp>>
