import type { TransactionClient } from './engine.js'
import type { Task } from './task.js'

/** Which responses a task runs after: all, those sent with a status below 400, or those sent with any other. */
export type When = 'always' | 'success' | 'error'

/**
 * Runs around each attempt of a task. `run` calls the function of the task, and its promise settles as the function does. The
 * attempt is over when the promise of `around` settles.
 */
export type Around = (task: Task, run: () => Promise<unknown>) => unknown

/** Retries with exponential backoff. */
export interface RetryOptions {
  /** Attempts after the first one: an integer from 0 to 2^31-2. */
  retries: number
  /**
   * Milliseconds before the first retry, 0 to 2^31-1.
   * @default 1000
   */
  delay?: number
  /**
   * The factor of each further delay, at least 1.
   * @default 2
   */
  factor?: number
  /**
   * The longest delay in milliseconds, 0 to 2^31-1.
   * @default 30000
   */
  maxDelay?: number
  /**
   * Whether to wait a random time between 0 and the computed delay (full jitter).
   * @default true
   */
  jitter?: boolean
  /** Decides whether a failed attempt is retried. An error that `retryIf` throws is logged, and counts as no. */
  retryIf?: (error: unknown, task: Task) => boolean
}

/** Options that a call, a named task, a route and the plugin all take. The nearest option wins, in this order. */
export interface SharedTaskOptions {
  /**
   * Which responses the task runs after. After any other response the task becomes `skipped`. A response that never got out
   * (client gone, stream broken) is neither a success nor an error. Without a request, `when` is ignored.
   * @default 'always'
   */
  when?: When
  /**
   * Milliseconds that one attempt may take from its start, 1 to 2^31-1. After that the signal aborts with FST_BGT_TIMEOUT, and
   * the attempt has failed even if the function goes on.
   * @default none
   */
  timeout?: number
  /**
   * Retries after the first attempt: their number, or the whole backoff.
   * @default 0
   */
  retry?: number | RetryOptions
}

/** Options of one `add` call. */
export interface TaskOptions extends SharedTaskOptions {
  /**
   * The name that logs and snapshots show.
   * @default the function's name, or 'anonymous'
   */
  name?: string
}

/** Options of one route: `config: { backgroundTasks: { … } }`. */
export interface RouteTaskOptions extends SharedTaskOptions {
  /**
   * How many tasks of one request run at once, at least 1. With 1, the tasks run strictly in the order added.
   * @default 1
   */
  requestConcurrency?: number
}

/** Options of `waitUntil`. */
export interface WaitUntilOptions {
  /** @default 'anonymous' */
  name?: string
}

/** Options of `flush`. */
export interface FlushOptions {
  /**
   * Stores the tasks in the transaction of this client: they exist if, and only if, the transaction is committed. `flush` begins,
   * commits and rolls back nothing. Needs an engine that is `transactional`.
   * @default none
   */
  client?: TransactionClient
  /**
   * Only these tasks, each of which must wait to be stored. `flush` rejects when one of them does not: it was stored already, or is
   * no registered task of this list.
   * @default all tasks that wait to be stored, whoever has added them
   */
  tasks?: ReadonlyArray<Task<any>>
}

/** Options of `idle`. */
export interface IdleOptions {
  /**
   * Milliseconds to wait, 1 to 2^31-1.
   * @default none
   */
  timeout?: number
}
