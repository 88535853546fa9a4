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

/** Tells the app what becomes of tasks: by log lines, and by its `onError`. */
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

  /** An attempt has failed, and another one follows after `delay` milliseconds. */
  retry (task: BackgroundTask, err: unknown, delay: number): void {
    write(task, 'warn', 'background task failed, will be retried', { err, delay })
  }

  /** An attempt that nothing waits for any more has failed after all. */
  failedLate (task: BackgroundTask, attempt: number, err: unknown): void {
    write(task, 'debug', 'background task failed after it had been given up', { err, attempt })
  }

  /** A callback of the app's own has failed. */
  callbackFailed (task: BackgroundTask, name: 'onError' | 'retryIf', err: unknown): void {
    write(task, 'error', `${name} of background tasks failed`, { err })
  }

  /** The final failure: one line, then `onError`. */
  failed (task: BackgroundTask, err: unknown): void {
    write(task, 'error', 'background task failed', { err })
    this.callOnError(task, err)
  }

  /** Calls `onError` in the async context of `add`, whoever ended the task. The app waits for it as for the task. */
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
    // Perhaps it is what was thrown that cannot be written.
    tryTo(() => { writeLine(errorSnapshot(fields.err)) })
  }
}

/** A logger that throws must not stop the tasks behind this one, and there is nowhere left to say so. */
export function tryTo (fn: () => void): void {
  try {
    fn()
  } catch {}
}

/** JSON drops what is undefined, a symbol or a function, and makes null of NaN: a line must tell what was thrown all the same. */
function loggable (thrown: unknown): unknown {
  return typeof thrown === 'object' || typeof thrown === 'string' || Number.isFinite(thrown) ? thrown : describe(thrown)
}

/**
 * Without this question every task would get an id for a line that nobody reads. A logger that cannot answer is asked
 * to write, except Fastify's null logger, whose levels are all one function.
 */
function isDebugEnabled (log: FastifyBaseLogger & { isLevelEnabled?: (level: string) => boolean }): boolean {
  return log.isLevelEnabled?.('debug') ?? log.debug !== log.error
}
