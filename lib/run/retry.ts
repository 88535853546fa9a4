import { isThenable } from './attempt.js'
import { nextDelay } from './backoff.js'
import { reportCallback } from './report.js'
import type { BackgroundTask } from '../task/task.js'

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
