import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { ResponseEnd } from '../../types/index.js'
import { CLEARED } from '../task/cancelled.js'
import { Fifo } from '../base/fifo.js'
import { LinkedList } from '../base/linked-list.js'
import type { Executor } from '../run/executor.js'
import type { Census } from '../task/census.js'
import type { History } from '../task/history.js'
import type { BackgroundTask, Owner } from '../task/task.js'

/** The limit of a list none of whose tasks may start yet. */
const HELD = 0

interface QueueServices {
  readonly census: Census
  readonly history: History
  readonly executor: Executor
}

/** The unfinished tasks of one request in the order added, and which of them may start next. */
export abstract class TaskQueue<Services extends QueueServices> implements Owner {
  abstract readonly log: FastifyBaseLogger
  abstract readonly reqId: string | undefined
  abstract readonly server: FastifyInstance
  abstract readonly response: ResponseEnd | undefined
  abstract readonly request: FastifyRequest | undefined
  protected readonly services: Services
  size = 0
  isReady = false
  running = 0
  /** How many tasks run at once: `HELD` until they may start, Infinity where each is in the ready queue by itself. */
  limit = HELD
  /** Neighbours among the lists that have unfinished tasks. */
  previous: Owner | undefined = undefined
  next: Owner | undefined = undefined
  readonly #tasks = new LinkedList<BackgroundTask>()
  /** The first task that has never started. */
  #nextWaiting: BackgroundTask | undefined = undefined
  /** Tasks whose backoff is over, or that an engine has run. */
  #ahead: Fifo<BackgroundTask> | undefined = undefined

  constructor (services: Services) {
    this.services = services
  }

  get runnable (): boolean {
    return (this.#nextWaiting !== undefined && this.running < this.limit) || this.#ahead?.empty === false
  }

  get isShared (): boolean {
    return this.limit === Infinity
  }

  /** Whether tasks may start: the response is over. */
  get isReleased (): boolean {
    return this.limit !== HELD
  }

  /** Appends a task. */
  push (task: BackgroundTask): void {
    this.size++
    this.#tasks.push(task)
    if (!this.isShared && waitsInOrder(task)) this.#nextWaiting ??= task
    this.services.census.enter(task)
  }

  take (): BackgroundTask | undefined {
    for (let task = this.#ahead?.shift(); task !== undefined; task = this.#ahead?.shift()) {
      if (!task.finished) return task
    }
    const task = this.#nextWaiting
    if (task === undefined || this.running >= this.limit) return undefined
    this.#nextWaiting = waitingFrom(task.next)
    return task
  }

  pushReady (task: BackgroundTask): void {
    if (!this.isShared) (this.#ahead ??= new Fifo()).push(task)
  }

  remove (task: BackgroundTask, taken: boolean): void {
    this.size--
    if (taken) this.running--
    if (task === this.#nextWaiting) this.#nextWaiting = waitingFrom(task.next)
    this.#tasks.remove(task)
  }

  track (task: BackgroundTask, id: string): void {
    this.services.history.track(task, id)
  }

  changed (task: BackgroundTask): void {
    this.services.census.changed(task)
  }

  cancel (task: BackgroundTask, reason: unknown): boolean {
    this.services.executor.cancel(task, reason)
    return true
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
      if (!task.hasStarted && task.cancel(CLEARED)) dropped++
      // One that an engine is storing stays until it is stored.
      if (!task.finished) last = task
    }
  }

  [Symbol.iterator] (): Generator<BackgroundTask, void, undefined> {
    return this.#tasks[Symbol.iterator]()
  }
}

function waitingFrom (task: BackgroundTask | undefined): BackgroundTask | undefined {
  while (task !== undefined && !waitsInOrder(task)) task = task.next
  return task
}

/** Whether the task waits for its turn here, and not for an engine. */
function waitsInOrder (task: BackgroundTask): boolean {
  return task.state === 'waiting' && task.isInOrder
}
