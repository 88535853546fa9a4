import { AsyncResource } from 'node:async_hooks'
import { runChannel } from './channels.js'
import { errors } from '../errors.js'
import { whenTurnAllows } from '../base/turn-budget.js'
import type { BackgroundTask } from '../task/task.js'
import { RESOURCE_OPTIONS } from '../task/task-life.js'

/** Told how an attempt ended, perhaps more than once: only the first time for the attempt that still runs counts. */
export type Settle = (task: BackgroundTask, attempt: number, failed: boolean, value: unknown) => void

const noop = (): void => {}

/** Starts one attempt in the async context of `add`. Never throws. */
export function startAttempt (task: BackgroundTask, settle: Settle): void {
  task.runInAsyncScope(task.options.retry === undefined ? runAttempt : runInOwnContext, undefined, task, settle)
}

/** On Node.js before 24, what a function does by `enterWith` stays with its async resource, from which the next attempt starts. */
function runInOwnContext (task: BackgroundTask, settle: Settle): void {
  new AsyncResource('BackgroundTaskAttempt', RESOURCE_OPTIONS).runInAsyncScope(runAttempt, undefined, task, settle)
}

function runAttempt (task: BackgroundTask, settle: Settle): void {
  const { timeout, startsLate } = task.options
  if (timeout !== undefined) {
    if (startsLate === true) task.ownExtras().startClock = () => { startTimeout(task, timeout, settle) }
    else startTimeout(task, timeout, settle)
  }
  if (runChannel.hasSubscribers) trace(task, () => { callFunction(task, settle) })
  else callFunction(task, settle)
}

function callFunction (task: BackgroundTask, settle: Settle): void {
  const { attempt, fn, args } = task
  let value: unknown
  try {
    value = fn!.apply(undefined, args)
    if (isThenable(value)) return settleWith(value, task, settle)
  } catch (error) {
    return settle(task, attempt, true, error)
  }
  settle(task, attempt, false, value)
}

/** Settles the running attempt as the promise does. */
export function settleWith (promise: PromiseLike<unknown>, task: BackgroundTask, settle: Settle): void {
  const { attempt } = task
  const onRejected = (error: unknown): void => { settle(task, attempt, true, error) }
  try {
    // Promise.resolve guards against thenables that throw, or call back twice, but not against a promise's own `then`.
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

/** Node.js calls all timers that are due in one turn, however many. */
function expireSoon (task: BackgroundTask, attempt: number, timeoutMs: number, settle: Settle): void {
  whenTurnAllows(() => { task.runInAsyncScope(expire, undefined, task, attempt, timeoutMs, settle) })
}

function expire (task: BackgroundTask, attempt: number, timeoutMs: number, settle: Settle): void {
  // It may have ended, and begun anew, since its time was over.
  if (task.state !== 'active' || task.attempt !== attempt) return
  const error = new errors.FST_BGT_TIMEOUT(task.name, timeoutMs)
  task.abort(error)
  settle(task, attempt, true, error)
}

/** Traces until the attempt has ended, which may be before its function does. */
function trace (task: BackgroundTask, run: () => void): void {
  const traced = (): Promise<unknown> => new Promise((resolve, reject) => {
    if (task.finished) {
      // A subscriber has just cancelled it.
      reject(task.error)
      return
    }
    task.ownExtras().endTrace = (failed, value) => { failed ? reject(value) : resolve(value) }
    run()
  })
  runChannel.tracePromise(traced, { task, request: task.owner.request }).catch(noop)
}
