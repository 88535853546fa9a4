import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { ResponseEnd } from '../../types/index.js'
import { CLEARED } from '../task/cancelled.js'
import { Fifo } from '../base/fifo.js'
import { LinkedList, type Link } from '../base/linked-list.js'
import type { BackgroundTask } from '../task/task.js'
import type { TaskOwner } from '../task/task-owner.js'

/** The unfinished tasks of one request in the order added, and which of them may start next. */
export abstract class TaskQueue implements TaskOwner<BackgroundTask>, Link<TaskQueue> {
  abstract readonly log: FastifyBaseLogger
  abstract readonly reqId: string | undefined
  abstract readonly server: FastifyInstance
  abstract readonly response: ResponseEnd | undefined
  abstract readonly request: FastifyRequest | undefined
  abstract track (task: BackgroundTask, id: string): void
  abstract cancel (task: BackgroundTask, reason: unknown): boolean
  abstract changed (task: BackgroundTask): void
  /** A task has ended: tells the engine that keeps it. */
  abstract ended (task: BackgroundTask): void

  /** Tasks not yet finished. */
  size = 0
  /** Whether the queue has a place in the executor's line. */
  isInLine = false
  /** Tasks that have started and not ended; a backoff keeps its place. */
  running = 0
  /** How many tasks run at once; 0 until they may start, Infinity where each stands in the executor's line by itself. */
  limit = 0
  /** Neighbours among the queues that have unfinished tasks. */
  previous: TaskQueue | undefined = undefined
  next: TaskQueue | undefined = undefined
  readonly #tasks = new LinkedList<BackgroundTask>()
  /** The first task that has never started. */
  #nextWaiting: BackgroundTask | undefined = undefined
  /** Tasks whose backoff is over, or that an engine has run. */
  #due: Fifo<BackgroundTask> | undefined = undefined

  /** Whether `take` may give a task. */
  get runnable (): boolean {
    return (this.#nextWaiting !== undefined && this.running < this.limit) || this.#due?.empty === false
  }

  /** Whether the tasks do not belong together: each counts as a request of its own. */
  get isShared (): boolean {
    return this.limit === Infinity
  }

  /** Appends a task. */
  push (task: BackgroundTask): void {
    this.size++
    this.#tasks.push(task)
    if (!this.isShared && isInLine(task)) this.#nextWaiting ??= task
  }

  /** The next task that may start. */
  take (): BackgroundTask | undefined {
    for (let due = this.#due?.shift(); due !== undefined; due = this.#due?.shift()) {
      if (!due.finished) return due
    }
    const task = this.#nextWaiting
    if (task === undefined || this.running >= this.limit) return undefined
    this.#nextWaiting = waitingFrom(task.next)
    return task
  }

  /** A task may be taken, whatever the order and before the queue's tasks may start: its turn came before, or elsewhere. */
  pushDue (task: BackgroundTask): void {
    if (!this.isShared) (this.#due ??= new Fifo()).push(task)
  }

  /** Forgets a task that has ended. `taken`: it gives its place back. */
  remove (task: BackgroundTask, taken: boolean): void {
    this.size--
    if (taken) this.running--
    if (task === this.#nextWaiting) this.#nextWaiting = waitingFrom(task.next)
    this.#tasks.remove(task)
  }

  /** Cancels the tasks that have never started. Returns how many. */
  protected cancelWaiting (): number {
    let dropped = 0
    /** The last task that stays. */
    let last: BackgroundTask | undefined
    for (;;) {
      // What is cancelled leaves the list, and its signal's listeners may have others leave.
      const task = last === undefined || last.finished ? this.#tasks.first : last.next
      if (task === undefined) return dropped
      if (task.startedAt < 0 && task.cancel(CLEARED)) dropped++
      // One that an engine is storing stays until it is stored.
      if (!task.finished) last = task
    }
  }

  [Symbol.iterator] (): Generator<BackgroundTask, void, undefined> {
    return this.#tasks[Symbol.iterator]()
  }
}

function waitingFrom (task: BackgroundTask | undefined): BackgroundTask | undefined {
  while (task !== undefined && !isInLine(task)) task = task.next
  return task
}

/** Whether the task waits for its turn here, and not for an engine. */
function isInLine (task: BackgroundTask): boolean {
  return task.state === 'waiting' && task.extras?.stored === undefined
}
