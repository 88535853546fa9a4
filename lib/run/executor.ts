import { type Settle, settleWith, startAttempt } from './attempt.js'
import { TurnBudget, eachAsTurnsAllow } from '../base/turn-budget.js'
import { cancellation } from '../task/cancelled.js'
import type { Census, EndState } from '../task/census.js'
import type { History } from '../task/history.js'
import type { Report } from './report.js'
import { isGivenBack, retryDelay } from './retry.js'
import { Starter } from './starter.js'
import type { BackgroundTask, Owner } from '../task/task.js'

/** Runs the tasks of all lists: each list in its order, all lists in turn, within the app's limits. */
export class Executor {
  readonly #census: Census
  readonly #history: History
  readonly #report: Report
  /** From now on a failed attempt is final. */
  #closing = false
  /** Tasks running, less the promises that are only waited for. */
  #slots = 0
  readonly #budget = new TurnBudget()
  readonly #starter: Starter

  /** `concurrency`: how many tasks run at once. */
  constructor (census: Census, history: History, report: Report, concurrency = Infinity) {
    this.#census = census
    this.#history = history
    this.#report = report
    this.#starter = new Starter(this.#budget, () => this.#slots < concurrency, (task) => { this.#start(task) })
  }

  /** Has the tasks of a list start that may. */
  wake (list: Owner): void {
    this.#starter.wake(list)
  }

  /** Has a task that was added to a list whose tasks may start do so when its turn comes. */
  begin (task: BackgroundTask): void {
    this.#starter.begin(task)
  }

  /** Has a task start whatever the order of its list: its turn came before, or elsewhere. */
  readonly pushReady = (task: BackgroundTask): void => { this.#starter.pushReady(task) }

  /** Follows a promise that is already under way. */
  follow (task: BackgroundTask, promise: PromiseLike<unknown>): void {
    task.startedAt = task.createdAt
    task.runInAsyncScope(settleWith, undefined, promise, task, this.#settle)
  }

  /** Cancels a task that has not ended. */
  cancel (task: BackgroundTask, reason: unknown): void {
    const { state } = task
    this.stop(task, 'cancelled', cancellation(task, reason))
    if (state !== 'waiting') this.#report.cancelled(task, task.error as Error)
  }

  /** Ends a task from outside. Its function may go on, but counts for nothing any more. */
  stop (task: BackgroundTask, state: 'cancelled' | 'failed', error: unknown): void {
    this.#budget.readClock()
    this.#finish(task, state, error)
    task.abort(error)
    this.#starter.noteEnd(task)
  }

  /** Ends a task that cannot be stored or started, or whose attempt was lost outside, as if it had failed. */
  fail (task: BackgroundTask, error: unknown): void {
    this.stop(task, 'failed', error)
    this.#report.failed(task, error)
  }

  /** Ends a task that has started and that close waits for no longer. It has not failed where another process runs it again. */
  giveUp (task: BackgroundTask, error: unknown): void {
    const hasFailed = !task.outlivesProcess
    this.stop(task, 'failed', error)
    if (hasFailed) this.#report.callOnError(task, error)
  }

  /** Ends a task whose condition is not met. */
  skip (task: BackgroundTask): void {
    this.#budget.readClock()
    this.#finish(task, 'skipped', undefined)
    this.#report.skipped(task)
  }

  /** No more retries in this process: the last error of each task in a backoff is final. */
  stopRetrying (): Promise<void> {
    this.#closing = true
    return eachAsTurnsAllow(this.#census.tasks(), (task) => {
      if (task.state !== 'delayed' || !task.hasStarted) return
      this.#budget.readClock()
      this.#fail(task, task.outcome)
      this.wake(task.owner)
    })
  }

  #start (task: BackgroundTask): void {
    if (!task.isWanted) return this.skip(task)
    if (task.hasStarted) task.nextAttempt()
    else {
      // The clock was read before the code that added the task, such as an onError.
      task.startedAt = Math.max(task.createdAt, Math.floor(this.#budget.now))
      if (task.isInOrder) task.owner.running++
    }
    this.#census.move(task, 'active')
    this.#slots++
    startAttempt(task, this.#settle)
  }

  readonly #settle: Settle = (task, attempt, failed, value) => {
    if (task.state !== 'active' || task.attempt !== attempt) {
      if (failed) this.#report.failedLate(task, attempt, value)
      return
    }
    this.#budget.readClock()
    if (failed) this.#fail(task, value)
    else {
      this.#finish(task, 'completed', value)
      this.#report.completed(task)
    }
    this.#starter.goOn(task.owner)
  }

  #fail (task: BackgroundTask, error: unknown): void {
    if (isGivenBack(task)) {
      this.#report.failedLate(task, task.attempt, error)
      return this.#finish(task, 'failed', error)
    }
    const delay = this.#closing && !task.outlivesProcess ? undefined : retryDelay(task, error, this.#report)
    // retryIf may have cancelled the task.
    if (task.finished) return
    if (delay === undefined) {
      this.#finish(task, 'failed', error)
      return this.#report.failed(task, error)
    }
    task.extras?.endAttempt(true, error)
    this.#slots--
    this.#census.retries++
    this.#census.move(task, 'delayed')
    task.outcome = error
    this.#report.retry(task, error, delay)
    task.backOff(delay, this.pushReady)
  }

  /** Ends a task, whatever it was doing, and lets go of all it held. */
  #finish (task: BackgroundTask, state: EndState, outcome: unknown): void {
    const started = task.hasStarted && !task.isFollowed
    if (started && task.state === 'active') this.#slots--
    task.extras?.endAttempt(state !== 'completed', outcome)
    task.outcome = outcome
    task.finishedAt = Math.floor(this.#budget.now)
    task.release()
    this.#census.leave(task, state, started && task.isInOrder)
    this.#history.finish(task)
    task.onEnd()
  }
}
