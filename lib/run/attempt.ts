import { AsyncResource } from 'node:async_hooks'
import { runChannel } from './channels.js'
import { type Arounds, callAround } from '../base/around.js'
import { errors } from '../errors.js'
import type { Report } from './report.js'
import { whenTurnAllows } from '../base/turn-budget.js'
import type { BackgroundTask } from '../task/task.js'
import { RESOURCE_OPTIONS } from '../task/task-life.js'

/** Receives the outcome of an attempt. Only the first call for the attempt that runs counts. */
export type Settle = (task: BackgroundTask, attempt: number, failed: boolean, value: unknown) => void

const noop = (): void => {}

/** Starts one attempt in the async context of `add`. Never throws. */
export function startAttempt (task: BackgroundTask, settle: Settle, report: Report): void {
  const hasOther = task.options.retry !== undefined && !task.outlivesProcess
  task.runInAsyncScope(hasOther ? runInOwnContext : runAttempt, undefined, task, settle, report)
}

/**
 * Before Node.js 24, a store that a function enters by `enterWith` stays with the async resource. With a resource of its own,
 * an attempt cannot change the context of the next one.
 */
function runInOwnContext (task: BackgroundTask, settle: Settle, report: Report): void {
  new AsyncResource('BackgroundTaskAttempt', RESOURCE_OPTIONS).runInAsyncScope(runAttempt, undefined, task, settle, report)
}

function runAttempt (task: BackgroundTask, settle: Settle, report: Report): void {
  const { timeout, startsLate, around } = task.options
  if (timeout !== undefined) {
    if (startsLate === true) task.ownExtras().startClock = () => { startTimeout(task, timeout, settle) }
    if (startsLate !== true || around !== undefined) startTimeout(task, timeout, settle)
  }
  if (runChannel.hasSubscribers) trace(task, () => { callFunction(task, settle, report) })
  else callFunction(task, settle, report)
}

function callFunction (task: BackgroundTask, settle: Settle, report: Report): void {
  const { attempt, fn, args, options: { around } } = task
  let value: unknown
  try {
    value = around === undefined ? fn!.apply(undefined, args) : callInside(around, task, report)
    if (isThenable(value)) return settleWith(value, task, settle)
  } catch (error) {
    return settle(task, attempt, true, error)
  }
  settle(task, attempt, false, value)
}

function callInside (around: Arounds, task: BackgroundTask, report: Report): Promise<unknown> {
  const { attempt, fn, args, options: { startsLate } } = task
  const run = (): unknown => {
    // The wait for a thread does not count. Its clock starts anew when a thread begins.
    if (startsLate === true) clearTimeout(task.extras?.timer)
    return fn!.apply(undefined, args)
  }
  return callAround(around, task, run, (error) => { report.failedLate(task, attempt, error) })
}

/** Settles the attempt that runs as the promise settles. */
export function settleWith (promise: PromiseLike<unknown>, task: BackgroundTask, settle: Settle): void {
  const { attempt } = task
  const onRejected = (error: unknown): void => { settle(task, attempt, true, error) }
  try {
    // Promise.resolve guards against a thenable that throws or calls back twice, but not against a promise whose `then` throws.
    Promise.resolve(promise).then((value) => { settle(task, attempt, false, value) }, onRejected)
  } catch (error) {
    onRejected(error)
  }
}

export function isThenable (value: unknown): value is PromiseLike<unknown> {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
}

function startTimeout (task: BackgroundTask, timeoutMs: number, settle: Settle): void {
  task.ownExtras().timer = setTimeout(expireSoon, timeoutMs, task, task.attempt, timeoutMs, settle)
}

/** Node.js calls all timers that are due in one turn. The turn budget spreads their work over several turns. */
function expireSoon (task: BackgroundTask, attempt: number, timeoutMs: number, settle: Settle): void {
  whenTurnAllows(() => { task.runInAsyncScope(expire, undefined, task, attempt, timeoutMs, settle) })
}

function expire (task: BackgroundTask, attempt: number, timeoutMs: number, settle: Settle): void {
  // The attempt may have ended, and the next one started, since the timer was due.
  if (task.state !== 'active' || task.attempt !== attempt) return
  const error = new errors.FST_BGT_TIMEOUT(task.name, timeoutMs)
  task.abort(error)
  settle(task, attempt, true, error)
}

/** Traces an attempt until it ends. A function may outlive its attempt. */
function trace (task: BackgroundTask, run: () => void): void {
  const traced = (): Promise<unknown> => new Promise((resolve, reject) => {
    if (task.finished) {
      // A subscriber to the start of the trace has cancelled the task.
      reject(task.error)
      return
    }
    task.ownExtras().endTrace = (failed, value) => { failed ? reject(value) : resolve(value) }
    run()
  })
  runChannel.tracePromise(traced, { task, request: task.owner.request }).catch(noop)
}
