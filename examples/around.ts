// What runs around each attempt of a task: a transaction of its own, and the scope of an error tracker.
import { AsyncLocalStorage } from 'node:async_hooks'
// In an app of your own: from 'fastify-background-tasks'
import type { Around } from '../index.js'

/** What is used of a pool and a client of the package pg. */
export interface Client {
  query (text: string, values?: unknown[]): Promise<{ rows: any[] }>
}
export interface Pool {
  connect (): Promise<Client & { release (error?: Error): void }>
}

const transactions = new AsyncLocalStorage<Client>()

/** The client of the transaction that the running task is in. */
export function transaction (): Client {
  const client = transactions.getStore()
  if (client === undefined) throw new Error('there is no transaction: give the task `around: inTransaction(pool)`')
  return client
}

/** Has each attempt run in a transaction: committed when the handler returns, rolled back when it throws. */
export function inTransaction (pool: Pool): Around {
  return async (task, run) => {
    // Of this attempt: the next one has another signal.
    const { signal } = task
    const client = await pool.connect()
    try {
      await client.query('begin')
      await transactions.run(client, run)
      // The attempt may have timed out, or been cancelled, while the handler went on.
      signal.throwIfAborted()
      await client.query('commit')
      client.release()
    } catch (error) {
      // What is left of a client whose rollback fails is of no use to anybody.
      await client.query('rollback').then(() => { client.release() }, (failed) => { client.release(failed) })
      throw error
    }
  }
}

/** An error tracker such as Sentry, whose `withIsolationScope` keeps what is set in it apart from all else. */
export interface Tracker {
  withIsolationScope<Value> (fn: (scope: { setTag (key: string, value: unknown): void }) => Value): Value
  captureException (error: unknown): void
}

/** Reports what a task throws, with the task's name, attempt and request, each attempt in a scope of its own. */
export function inScope (tracker: Tracker): Around {
  return (task, run) => tracker.withIsolationScope(async (scope) => {
    scope.setTag('task', task.name)
    scope.setTag('attempt', task.attempt)
    try {
      return await run()
    } catch (error) {
      tracker.captureException(error)
      throw error
    }
  })
}
