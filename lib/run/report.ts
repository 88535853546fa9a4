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

export function reportCompleted (task: BackgroundTask): void {
  write(task, 'debug', 'background task completed')
}

export function reportSkipped (task: BackgroundTask): void {
  write(task, 'debug', 'background task skipped')
}

export function reportCancelled (task: BackgroundTask, err: Error): void {
  write(task, 'info', 'background task cancelled', { reason: err.cause })
}

export function reportRetry (task: BackgroundTask, err: unknown, delay: number): void {
  write(task, 'warn', 'background task failed, will be retried', { err, delay })
}

/** An attempt that nothing waits for any more has failed after all. */
export function reportLate (task: BackgroundTask, attempt: number, err: unknown): void {
  write(task, 'debug', 'background task failed after it had been given up', { err, attempt })
}

/** A callback of the app's own has failed. */
export function reportCallback (task: BackgroundTask, name: 'onError' | 'retryIf', err: unknown): void {
  write(task, 'error', `${name} of background tasks failed`, { err })
}

/** The final failure: one line, then `onError`, which the app waits for as for the task. */
export function reportFailed (
  task: BackgroundTask, err: unknown, onError: BackgroundTasksOptions['onError'], census: Census
): void {
  write(task, 'error', 'background task failed', { err })
  callOnError(task, err, onError, census)
}

/** Calls `onError` in the async context of `add`, whoever ended the task. */
export function callOnError (
  task: BackgroundTask, err: unknown, onError: BackgroundTasksOptions['onError'], census: Census
): void {
  if (onError === undefined) return
  const report = new Promise<void>((resolve) => { resolve(task.runInAsyncScope(onError, undefined, err, task)) })
    .catch((error) => { reportCallback(task, 'onError', error) })
  census.waitForReport(task, report)
}
