import { type Settle, settleWith, startAttempt } from './attempt.js'
import { TurnBudget, eachAsTurnsAllow } from '../base/turn-budget.js'
import { cancellation } from '../task/cancelled.js'
import type { Census, EndState } from '../task/census.js'
import type { History } from '../task/history.js'
import type { Report } from './report.js'
import { isGivenBack, retryDelay } from './retry.js'
import { Starter } from './starter.js'
import type { BackgroundTask, Owner } from '../task/task.js'

/** Runs the tasks of all lists, within the limits of the app. Each list keeps its order, and the lists take turns. */
export class Executor {
  readonly #census: Census
  readonly #history: History
  readonly #report: Report
  /** Whether a failed attempt is final because the app closes. */
  #closing = false
  /** The number of active tasks, without those of `waitUntil`. */
  #slots = 0
  readonly #budget = new TurnBudget()
  readonly #starter: Starter

  /** `concurrency`: how many tasks may be active at once. */
  constructor (census: Census, history: History, report: Report, concurrency = Infinity) {
    this.#census = census
    this.#history = history
    this.#report = report
    this.#starter = new Starter(this.#budget, () => this.#slots < concurrency, (task) => { this.#start(task) })
  }

  /** Starts the tasks of a list that may start. */
  wake (list: Owner): void {
    this.#starter.wake(list)
  }

  /** Starts a task when its turn comes. The task is new in a list whose response is over, or that has no request. */
  begin (task: BackgroundTask): void {
    this.#starter.begin(task)
  }

  /** Starts a task whatever the order of its list: its backoff is over, or an engine runs it. */
  readonly pushReady = (task: BackgroundTask): void => { this.#starter.pushReady(task) }

  /** Ends a task of `waitUntil` as its promise settles. */
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

  /** Ends a task before its function has. The function may go on, but its outcome is ignored. */
  stop (task: BackgroundTask, state: 'cancelled' | 'failed', error: unknown): void {
    this.#budget.readClock()
    this.#finish(task, state, error)
    task.abort(error)
    this.#starter.noteEnd(task)
  }

  /** Fails a task that could not be stored, or whose payload was refused. */
  fail (task: BackgroundTask, error: unknown): void {
    this.stop(task, 'failed', error)
    this.#report.failed(task, error)
  }

  /**
   * Ends a task that has started and that close waits for no longer. `onError` is not called for a task that another process
   * runs again.
   */
  giveUp (task: BackgroundTask, error: unknown): void {
    this.stop(task, 'failed', error)
    if (!task.outlivesProcess) this.#report.callOnError(task, error)
  }

  /** Ends a task whose `when` the response does not meet. */
  skip (task: BackgroundTask): void {
    this.#budget.readClock()
    this.#finish(task, 'skipped', undefined)
    this.#report.skipped(task)
  }

  /** Stops retries in this process. A task in a backoff fails with its last error. */
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
      // The budget may have read the clock before the task was added, for example by an `onError`.
      task.startedAt = Math.max(task.createdAt, Math.floor(this.#budget.now))
      if (task.isInOrder) task.owner.running++
    }
    this.#census.move(task, 'active')
    this.#slots++
    startAttempt(task, this.#settle, this.#report)
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
    // `retryIf` may have cancelled the task.
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
    task.ownExtras().nextAt = this.#budget.now + delay
    // The logger may have cancelled the task.
    if (!task.finished) task.backOff(delay, this.pushReady)
  }

  /** Ends a task in any state, and frees its slot, its place in the order, its timer and its function. */
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
