import { errors } from '../errors.js'
import { isThenable } from './attempt.js'
import { nextDelay } from './backoff.js'
import { reportCallback } from './report.js'
import type { BackgroundTask } from '../task/task.js'

/** Whether another process runs the task again where this one does not end it. */
export function survives ({ extras }: BackgroundTask): boolean {
  return extras?.run?.survives === true
}

/** Whether the attempt, which has just failed, has obeyed the abort of close: another process makes it again. */
export function isGivenBack (task: BackgroundTask): boolean {
  return survives(task) && task.extras?.abortReason instanceof errors.FST_BGT_CLOSING
}

/** Milliseconds until the next attempt of a task that has just failed, or undefined if that was the last one. */
export function retryDelay (task: BackgroundTask, error: unknown): number | undefined {
  const { retry } = task.options
  // A promise that is only waited for cannot be tried again.
  if (retry === undefined || task.attempt > retry.retries || task.fn === undefined) return undefined
  try {
    const answer: unknown = retry.retryIf === undefined || retry.retryIf(error, task)
    // It must answer at once. A promise is taken care of, and is a no like any other mistake.
    if (isThenable(answer)) Promise.resolve(answer).then(undefined, (thrown) => { reportCallback(task, 'retryIf', thrown) })
    if (isThenable(answer) || !answer) return undefined
  } catch (thrown) {
    reportCallback(task, 'retryIf', thrown)
    return undefined
  }
  return nextDelay(task.attempt, retry)
}
