import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { NamedTask } from '../../index.js'
import { until } from './until.js'

/** What the prelude exports, as far as the checks use it. */
export interface Names {
  app: FastifyInstance
  calls: unknown[][]
  sentTo: string[]
  greetings: string[]
  sendInvoice: NamedTask<{ to: string }>
  database: { query: (text: string) => Promise<unknown> }
  suite: Array<{ name: string, run: () => Promise<void> }>
}

/** What should come of running a part, by the key of its block. Any other part must at least run without an error. */
export type Checks = Record<string, (t: Test, names: Names) => Promise<void>>

/** Waits until a task of a store has completed, and resolves to its snapshot. */
export async function completed (app: FastifyInstance, id: string): Promise<unknown> {
  await until(async () => (await app.backgroundTasks.get(id))?.state === 'completed')
  return await app.backgroundTasks.get(id)
}
