import { errors } from '../errors.js'
import { isThenable } from './attempt.js'
import { nextDelay } from './backoff.js'
import type { Report } from './report.js'
import type { BackgroundTask } from '../task/task.js'

/** Whether the attempt failed because close had aborted its signal, and another process runs the attempt again. */
export function isGivenBack (task: BackgroundTask): boolean {
  return task.outlivesProcess && task.extras?.abortReason instanceof errors.FST_BGT_CLOSING
}

/** Milliseconds from the failed attempt to the next one, or undefined if the failure is final. */
export function retryDelay (task: BackgroundTask, error: unknown, report: Report): number | undefined {
  const { retry } = task.options
  if (retry === undefined || task.attempt > retry.retries || task.isFollowed) return undefined
  try {
    const answer: unknown = retry.retryIf === undefined || retry.retryIf(error, task)
    // `retryIf` must answer at once. A promise counts as no, and its rejection is reported.
    if (isThenable(answer)) Promise.resolve(answer).then(undefined, (thrown) => { report.callbackFailed(task, 'retryIf', thrown) })
    if (isThenable(answer) || !answer) return undefined
  } catch (thrown) {
    report.callbackFailed(task, 'retryIf', thrown)
    return undefined
  }
  return nextDelay(task.attempt, retry)
}
