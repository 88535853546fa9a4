import type { FastifyBaseLogger } from 'fastify'
import type { BackgroundTasksOptions } from '../../types/index.js'
import type { Census } from '../task/census.js'
import { describe } from '../errors.js'
import { errorSnapshot } from '../base/snapshot.js'
import type { BackgroundTask } from '../task/task.js'

type Level = 'debug' | 'info' | 'warn' | 'error'

interface Fields {
  err?: unknown
  delay?: number
  reason?: unknown
  attempt?: number
}

/** Writes a log line for each outcome of a task, and calls the `onError` of the app. */
export class Report {
  readonly #census: Census
  readonly #onError: BackgroundTasksOptions['onError']

  constructor (census: Census, onError: BackgroundTasksOptions['onError']) {
    this.#census = census
    this.#onError = onError
  }

  completed (task: BackgroundTask): void {
    write(task, 'debug', 'background task completed')
  }

  skipped (task: BackgroundTask): void {
    write(task, 'debug', 'background task skipped')
  }

  cancelled (task: BackgroundTask, err: Error): void {
    write(task, 'info', 'background task cancelled', { reason: err.cause })
  }

  /** Reports a failed attempt that is retried after `delay` milliseconds. */
  retry (task: BackgroundTask, err: unknown, delay: number): void {
    write(task, 'warn', 'background task failed, will be retried', { err, delay })
  }

  /** Reports the failure of a function that had outlived its attempt. */
  failedLate (task: BackgroundTask, attempt: number, err: unknown): void {
    write(task, 'debug', 'background task failed after it had been given up', { err, attempt })
  }

  /** Reports the failure of a callback of the app. */
  callbackFailed (task: BackgroundTask, name: 'onError' | 'retryIf', err: unknown): void {
    write(task, 'error', `background task ${name} failed`, { err })
  }

  /** Reports a final failure: one line, then `onError`. */
  failed (task: BackgroundTask, err: unknown): void {
    write(task, 'error', 'background task failed', { err })
    this.callOnError(task, err)
  }

  /** Calls `onError` in the async context of `add`, no matter who ended the task. `idle` and close wait for its promise. */
  callOnError (task: BackgroundTask, err: unknown): void {
    const onError = this.#onError
    if (onError === undefined) return
    const call = new Promise<void>((resolve) => { resolve(task.runInAsyncScope(onError, undefined, err, task)) })
      .catch((error) => { this.callbackFailed(task, 'onError', error) })
    this.#census.waitForReport(task, call)
  }
}

function write (task: BackgroundTask, level: Level, message: string, fields: Fields = {}): void {
  const { log } = task.owner
  const writeLine = (err: unknown): void => {
    if (level === 'debug' && !isDebugEnabled(log)) return
    const known = { task: task.name, taskId: task.id }
    log[level]({ attempt: task.attempt, ...fields, ...('err' in fields && { err }), ...known }, message)
  }
  try {
    writeLine(loggable(fields.err))
  } catch {
    // Perhaps the logger cannot write the thrown value. A snapshot is plain.
    tryTo(() => { writeLine(errorSnapshot(fields.err)) })
  }
}

/** Ignores the error of a logger. It must not stop the next tasks, and no logger is left to report it. */
export function tryTo (fn: () => void): void {
  try {
    fn()
  } catch {}
}

/**
 * JSON drops undefined, symbols and functions, and writes NaN as null. Words take the place of such a thrown value, so that the
 * line still shows it.
 */
function loggable (thrown: unknown): unknown {
  return typeof thrown === 'object' || typeof thrown === 'string' || Number.isFinite(thrown) ? thrown : describe(thrown)
}

/**
 * Whether the logger writes debug lines. Without this check, every task would get an id for a line that is not written. A logger
 * without `isLevelEnabled` counts as one that writes. Fastify's null logger does not: its levels are all one function.
 */
function isDebugEnabled (log: FastifyBaseLogger & { isLevelEnabled?: (level: string) => boolean }): boolean {
  return log.isLevelEnabled?.('debug') ?? log.debug !== log.error
}
