import { Admission } from '../task/admission.js'
import { type Settle, settleWith, startAttempt } from './attempt.js'
import { Census, type EndState } from '../task/census.js'
import { errors } from '../errors.js'
import { History } from '../task/history.js'
import type { ResolvedOptions } from '../options/options.js'
import { ReadyLine } from './ready-queue.js'
import { callOnError, reportCancelled, reportCompleted, reportFailed, reportLate, reportRetry, reportSkipped } from './report.js'
import { retryDelay } from './retry.js'
import { Slice } from './turn-budget.js'
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
  readonly #line = new ReadyLine()
  /** From now on a failed attempt is final. */
  #closing = false
  /** Tasks running, less the promises that are only waited for. */
  #slots = 0
  readonly #slice = new Slice()
  readonly #turns = new Turns(this.#slice, {
    canStart: () => !this.#line.empty && this.#slots < this.#concurrency,
    startNext: () => { this.#startNext() },
    release: (task) => { this.#release(task) }
  })

  constructor (options: ResolvedOptions) {
    this.#options = options
    this.#concurrency = options.concurrency ?? Infinity
    this.history = new History(options.history)
    this.admission = new Admission(this.census, options.maxPending)
  }

  /** Takes a queue into the line if one of its tasks can start, and sees to it that tasks start soon. */
  wake (queue: TaskQueue): void {
    this.#enqueue(queue)
    this.#turns.schedule()
  }

  /** Has a task that was added to a queue whose tasks may start do so when its turn comes: one of the app in the next turn. */
  begin (task: BackgroundTask, queue: TaskQueue): void {
    if (queue.limit !== Infinity) return this.wake(queue)
    // It has its place in the line from now on.
    this.#line.push(queue)
    this.#turns.hold(task)
  }

  /** Follows a promise that is already under way. */
  follow (task: BackgroundTask, promise: PromiseLike<unknown>): void {
    task.startedAt = task.createdAt
    task.runInAsyncScope(settleWith, undefined, promise, task, this.#settle)
  }

  /** Cancels a task that has not ended. */
  cancel (task: BackgroundTask, queue: TaskQueue, reason: unknown): void {
    const error = new errors.FST_BGT_CANCELLED(task.name, { cause: reason })
    const { state } = task
    this.stop(task, queue, 'cancelled', error)
    if (state !== 'waiting') reportCancelled(task, error)
  }

  /** Ends a task from outside. Its function may go on, but counts for nothing any more. */
  stop (task: BackgroundTask, queue: TaskQueue, state: 'cancelled' | 'failed', error: unknown): void {
    this.#slice.readClock()
    this.#finish(task, queue, state, error)
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
    const survives = task.extras?.run?.survives === true
    this.stop(task, queue, 'failed', error)
    if (!survives) callOnError(task, error, this.#options.onError, this.census)
  }

  /** Ends a task whose condition is not met. */
  skip (task: BackgroundTask, queue: TaskQueue): void {
    this.#slice.readClock()
    this.#finish(task, queue, 'skipped', undefined)
    reportSkipped(task)
  }

  /** No more retries in this process: the last error of each task in a backoff is final. */
  stopRetrying (): void {
    this.#closing = true
    this.#slice.readClock()
    for (const task of this.census.tasks()) {
      if (task.state !== 'delayed' || task.startedAt < 0) continue
      const queue = task.owner as TaskQueue
      this.#fail(task, queue, task.outcome)
      this.wake(queue)
    }
  }

  #enqueue (queue: TaskQueue): void {
    if (queue.runnable) this.#line.push(queue)
  }

  #release (task: BackgroundTask): void {
    if (task.finished) return
    const queue = task.owner as TaskQueue
    queue.pushDue(task)
    this.#enqueue(queue)
  }

  /** Starts one task of the first queue in line. */
  #startNext (): void {
    const queue = this.#line.shift()
    const task = queue.take()
    if (task === undefined) return
    if (task.extras?.stored !== undefined || isWanted(task.options.when, task.response)) this.#start(task, queue)
    else this.skip(task, queue)
    this.#enqueue(queue)
    // A task that has ended has read the clock.
    if (!task.finished) this.#slice.readClock()
  }

  #start (task: BackgroundTask, queue: TaskQueue): void {
    if (task.startedAt >= 0) task.nextAttempt()
    else {
      // The clock was read before the code that added the task, such as an onError.
      task.startedAt = Math.max(task.createdAt, Math.floor(this.#slice.now))
      if (task.extras?.stored === undefined) queue.running++
    }
    this.census.move(task, 'active')
    this.#slots++
    startAttempt(task, this.#settle)
  }

  readonly #settle: Settle = (task, attempt, failed, value) => {
    if (task.state !== 'active' || task.attempt !== attempt) {
      if (failed) reportLate(task, value)
      return
    }
    this.#slice.readClock()
    const queue = task.owner as TaskQueue
    if (failed) this.#fail(task, queue, value)
    else {
      this.#finish(task, queue, 'completed', value)
      reportCompleted(task)
    }
    this.#enqueue(queue)
    this.#turns.goOn()
  }

  #fail (task: BackgroundTask, queue: TaskQueue, error: unknown): void {
    const delay = this.#closing && task.extras?.run?.survives !== true ? undefined : retryDelay(task, error)
    // retryIf may have cancelled the task.
    if (task.finished) return
    if (delay === undefined) {
      this.#finish(task, queue, 'failed', error)
      reportFailed(task, error, this.#options.onError, this.census)
      return
    }
    task.endAttempt(true, error)
    this.#slots--
    this.census.retries++
    this.census.move(task, 'delayed')
    task.outcome = error
    reportRetry(task, error, delay)
    const run = task.extras?.run
    if (run === undefined) task.setTimer(this.#endBackoff, delay)
    else run.end(delay)
  }

  readonly #endBackoff = (task: BackgroundTask): void => {
    const queue = task.owner as TaskQueue
    queue.pushDue(task)
    this.wake(queue)
  }

  /** Ends a task, whatever it was doing, and lets go of all it held. */
  #finish (task: BackgroundTask, queue: TaskQueue, state: EndState, outcome: unknown): void {
    const started = task.fn !== undefined && task.startedAt >= 0
    if (started && task.state === 'active') this.#slots--
    task.endAttempt(state !== 'completed', outcome)
    task.outcome = outcome
    task.finishedAt = Math.floor(this.#slice.now)
    task.release()
    this.census.leave(task, queue, state, started && task.extras?.stored === undefined)
    this.history.finish(task)
    queue.ended(task)
  }
}
