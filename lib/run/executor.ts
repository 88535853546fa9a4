import { Admission } from '../task/admission.js'
import { type Settle, settleWith, startAttempt } from './attempt.js'
import { eachAsTurnsAllow, TurnBudget } from '../base/turn-budget.js'
import { setImmediate } from '../base/real-timers.js'
import { cancellation } from '../task/cancelled.js'
import { Census, type EndState } from '../task/census.js'
import { History } from '../task/history.js'
import type { ResolvedOptions } from '../options/options.js'
import { ReadyQueue } from './ready-queue.js'
import { callOnError, reportCancelled, reportCompleted, reportFailed, reportLate, reportRetry, reportSkipped } from './report.js'
import { HeldTasks } from './held-tasks.js'
import { isGivenBack, retryDelay, survives } from './retry.js'
import { Turns } from './turns.js'
import type { BackgroundTask } from '../task/task.js'
import type { TaskQueue } from '../request/task-queue.js'
import { isWanted } from './when.js'

/** Runs the tasks of all requests: each queue in its order, all queues in turn, within the app's limits. */
export class Executor {
  readonly census = new Census()
  readonly history: History
  readonly admission: Admission
  readonly #options: ResolvedOptions
  readonly #concurrency: number
  readonly #ready = new ReadyQueue()
  /** From now on a failed attempt is final. */
  #closing = false
  /** Tasks running, less the promises that are only waited for. */
  #slots = 0
  readonly #budget = new TurnBudget()
  readonly #turns = new Turns(this.#budget, {
    // Nobody overtakes a task that is held.
    canStart: () => !this.#ready.empty && this.#slots < this.#concurrency && !this.#held.has(this.#ready.first),
    isHolding: () => !this.#held.empty,
    startNext: () => { this.#startNext() }
  })

  readonly #held = new HeldTasks(() => {
    this.#budget.readClock()
    this.#turns.goOn()
  })

  constructor (options: ResolvedOptions) {
    this.#options = options
    this.#concurrency = options.concurrency ?? Infinity
    this.history = new History(options.history)
    this.admission = new Admission(this.census, options.maxPending)
  }

  /** Takes a queue into the line if one of its tasks can start, and sees to it that tasks start soon. */
  wake (queue: TaskQueue): void {
    this.#ready.pushQueue(queue)
    this.#turns.schedule()
  }

  /** Has a task that was added to a queue whose tasks may start do so when its turn comes: one of the app in the next turn. */
  begin (task: BackgroundTask): void {
    const queue = task.owner as TaskQueue
    if (!queue.isShared) return this.wake(queue)
    this.#ready.pushTask(task)
    this.#held.add(task)
    this.#turns.schedule()
  }

  /** A task may start whatever the order of its queue: its turn came before, or elsewhere. */
  readonly pushDue = (task: BackgroundTask): void => {
    (task.owner as TaskQueue).pushDue(task)
    this.#ready.pushTask(task)
    this.#turns.schedule()
  }

  /** Follows a promise that is already under way. */
  follow (task: BackgroundTask, promise: PromiseLike<unknown>): void {
    task.startedAt = task.createdAt
    task.runInAsyncScope(settleWith, undefined, promise, task, this.#settle)
  }

  /** Cancels a task that has not ended. */
  cancel (task: BackgroundTask, queue: TaskQueue, reason: unknown): void {
    const { state } = task
    this.stop(task, queue, 'cancelled', cancellation(task, reason))
    if (state !== 'waiting') reportCancelled(task, task.error as Error)
  }

  /** Ends a task from outside. Its function may go on, but counts for nothing any more. */
  stop (task: BackgroundTask, queue: TaskQueue, state: 'cancelled' | 'failed', error: unknown): void {
    this.#budget.readClock()
    this.#finish(task, queue, state, error)
    this.#ready.noteEnd(task)
    task.abort(error)
    this.wake(queue)
  }

  /** Ends a task that cannot be stored or started, or whose attempt was lost outside, as if it had failed. */
  fail (task: BackgroundTask, queue: TaskQueue, error: unknown): void {
    this.stop(task, queue, 'failed', error)
    reportFailed(task, error, this.#options.onError, this.census)
  }

  /** Ends a task that has started and that close waits for no longer. It has not failed where another process runs it again. */
  giveUp (task: BackgroundTask, queue: TaskQueue, error: unknown): void {
    const hasFailed = !survives(task)
    this.stop(task, queue, 'failed', error)
    if (hasFailed) callOnError(task, error, this.#options.onError, this.census)
  }

  /** Ends a task whose condition is not met. */
  skip (task: BackgroundTask, queue: TaskQueue): void {
    this.#budget.readClock()
    this.#finish(task, queue, 'skipped', undefined)
    reportSkipped(task)
  }

  /** No more retries in this process: the last error of each task in a backoff is final. */
  stopRetrying (): Promise<void> {
    this.#closing = true
    return eachAsTurnsAllow(this.census.tasks(), (task) => {
      if (task.state !== 'delayed' || task.startedAt < 0) return
      this.#budget.readClock()
      this.#fail(task, task.owner as TaskQueue, task.outcome)
      this.wake(task.owner as TaskQueue)
    })
  }

  /** Starts one task of the first place in line. */
  #startNext (): void {
    const task = this.#ready.take()
    if (task === undefined) return this.#budget.readClock()
    const queue = task.owner as TaskQueue
    if (task.extras?.stored !== undefined || isWanted(task.options.when, task.response)) this.#start(task, queue)
    else this.skip(task, queue)
    this.#ready.pushQueue(queue)
    // A task that has ended has read the clock.
    if (!task.finished) this.#budget.readClock()
  }

  #start (task: BackgroundTask, queue: TaskQueue): void {
    if (task.startedAt >= 0) task.nextAttempt()
    else {
      // The clock was read before the code that added the task, such as an onError.
      task.startedAt = Math.max(task.createdAt, Math.floor(this.#budget.now))
      if (task.extras?.stored === undefined) queue.running++
    }
    this.census.move(task, 'active')
    this.#slots++
    startAttempt(task, this.#settle)
  }

  readonly #settle: Settle = (task, attempt, failed, value) => {
    if (task.state !== 'active' || task.attempt !== attempt) {
      if (failed) reportLate(task, attempt, value)
      return
    }
    this.#budget.readClock()
    const queue = task.owner as TaskQueue
    if (failed) this.#fail(task, queue, value)
    else {
      this.#finish(task, queue, 'completed', value)
      reportCompleted(task)
    }
    this.#ready.pushQueue(queue)
    this.#turns.goOn()
  }

  #fail (task: BackgroundTask, queue: TaskQueue, error: unknown): void {
    if (isGivenBack(task)) {
      reportLate(task, task.attempt, error)
      return this.#finish(task, queue, 'failed', error)
    }
    const delay = this.#closing && !survives(task) ? undefined : retryDelay(task, error)
    // retryIf may have cancelled the task.
    if (task.finished) return
    if (delay === undefined) {
      this.#finish(task, queue, 'failed', error)
      return reportFailed(task, error, this.#options.onError, this.census)
    }
    task.endAttempt(true, error)
    this.#slots--
    this.census.retries++
    this.census.move(task, 'delayed')
    task.outcome = error
    reportRetry(task, error, delay)
    if (task.extras?.run !== undefined) task.extras.run.end(delay)
    else if (delay > 0) task.setTimer(this.pushDue, delay)
    else setImmediate(this.pushDue, task)
  }

  /** Ends a task, whatever it was doing, and lets go of all it held. */
  #finish (task: BackgroundTask, queue: TaskQueue, state: EndState, outcome: unknown): void {
    const started = task.fn !== undefined && task.startedAt >= 0
    if (started && task.state === 'active') this.#slots--
    task.endAttempt(state !== 'completed', outcome)
    task.outcome = outcome
    task.finishedAt = Math.floor(this.#budget.now)
    task.release()
    this.census.leave(task, queue, state, started && task.extras?.stored === undefined)
    this.history.finish(task)
    queue.ended(task)
  }
}
