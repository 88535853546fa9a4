import type { Task } from './task.js'

/** Which responses a task wants: any end at all, one sent with a status below 400, or one sent with 400 and above. */
export type When = 'always' | 'success' | 'error'

/**
 * Runs around each attempt of a task. `run` runs the attempt's function: its promise is that of what the function returned or
 * threw. The attempt is over when the promise of `around` settles.
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
   * What each further delay is multiplied by, at least 1.
   * @default 2
   */
  factor?: number
  /**
   * The longest delay in milliseconds, 0 to 2^31-1.
   * @default 30000
   */
  maxDelay?: number
  /**
   * Full jitter: waits a random time between 0 and the computed delay.
   * @default true
   */
  jitter?: boolean
  /** Decides whether a failed attempt is worth another one. What it throws is logged and counts as no. */
  retryIf?: (error: unknown, task: Task) => boolean
}

/** Options that a call, a named task, a route and the plugin all take; the nearest wins. */
export interface SharedTaskOptions {
  /**
   * Which responses the task runs after; otherwise it becomes `skipped`. A response that never got out (client gone,
   * stream broken) is neither a success nor an error. Ignored without a request.
   * @default 'always'
   */
  when?: When
  /**
   * Milliseconds that one attempt may take from its start, 1 to 2^31-1. Past it the task's signal aborts with
   * FST_BGT_TIMEOUT and the attempt has failed, even if the function goes on.
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
   * Shown in logs, stats and status.
   * @default the function's name, or 'anonymous'
   */
  name?: string
}

/** Options of one route: `config: { backgroundTasks: { … } }`. */
export interface RouteTaskOptions extends SharedTaskOptions {
  /**
   * How many tasks of one request run at once, at least 1. 1 means strictly in the order added.
   * @default 1
   */
  requestConcurrency?: number
}

/** Options of `waitUntil`. */
export interface WaitUntilOptions {
  /** @default 'anonymous' */
  name?: string
}

/** Options of `idle`. */
export interface IdleOptions {
  /**
   * Milliseconds to wait, 1 to 2^31-1.
   * @default none
   */
  timeout?: number
}
