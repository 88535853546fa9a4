import { errors } from '../errors.js'
import { isThenable } from './attempt.js'
import { nextDelay } from './backoff.js'
import type { Report } from './report.js'
import type { BackgroundTask } from '../task/task.js'

/** Whether the attempt, which has just failed, has obeyed the abort of close: another process makes it again. */
export function isGivenBack (task: BackgroundTask): boolean {
  return task.outlivesProcess && task.extras?.abortReason instanceof errors.FST_BGT_CLOSING
}

/** Milliseconds until the next attempt of a task that has just failed, or undefined if that was the last one. */
export function retryDelay (task: BackgroundTask, error: unknown, report: Report): number | undefined {
  const { retry } = task.options
  if (retry === undefined || task.attempt > retry.retries || task.isFollowed) return undefined
  try {
    const answer: unknown = retry.retryIf === undefined || retry.retryIf(error, task)
    // It must answer at once. A promise is taken care of, and is a no like any other mistake.
    if (isThenable(answer)) Promise.resolve(answer).then(undefined, (thrown) => { report.callbackFailed(task, 'retryIf', thrown) })
    if (isThenable(answer) || !answer) return undefined
  } catch (thrown) {
    report.callbackFailed(task, 'retryIf', thrown)
    return undefined
  }
  return nextDelay(task.attempt, retry)
}
