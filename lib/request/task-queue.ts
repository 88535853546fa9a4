import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { ResponseEnd } from '../../types/index.js'
import { CLEARED } from '../task/cancelled.js'
import { Fifo } from '../base/fifo.js'
import { LinkedList } from '../base/linked-list.js'
import type { Executor } from '../run/executor.js'
import type { Census } from '../task/census.js'
import type { History } from '../task/history.js'
import type { BackgroundTask, Owner } from '../task/task.js'

/** The limit of a list before its response is over: no task may start. */
const HELD = 0

interface QueueServices {
  readonly census: Census
  readonly history: History
  readonly executor: Executor
}

/** The unfinished tasks of a list in the order added. The queue knows which task may start next. */
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
  /** How many tasks of the list run at once. `HELD` before the response is over, Infinity in the list of the app. */
  limit = HELD
  /** The neighbours among the lists that have unfinished tasks. */
  previous: Owner | undefined = undefined
  next: Owner | undefined = undefined
  note: unknown = undefined
  readonly #tasks = new LinkedList<BackgroundTask>()
  /** The first task that has never started. */
  #nextWaiting: BackgroundTask | undefined = undefined
  /** Tasks whose backoff is over, and tasks that an engine runs. */
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

  /** Whether tasks may start: the response is over, or the list is that of the app. */
  get isReleased (): boolean {
    return this.limit !== HELD
  }

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

  progressed (task: BackgroundTask): void {
    const { census } = this.services
    census.changed(task)
    census.observer?.progressed(task)
  }

  cancel (task: BackgroundTask, reason: unknown): boolean {
    this.services.executor.cancel(task, reason)
    return true
  }

  /** Cancels the tasks that have never started. Returns their number. */
  protected cancelWaiting (): number {
    let dropped = 0
    /** The last task that was passed and stays in the list. */
    let last: BackgroundTask | undefined
    for (;;) {
      // A cancelled task leaves the list. The listeners of its signal may cancel other tasks.
      const task = last === undefined || last.finished ? this.#tasks.first : last.next
      if (task === undefined) return dropped
      if (!task.hasStarted && task.cancel(CLEARED)) dropped++
      // A task that an engine is storing stays until it is stored.
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

/** Whether the task waits for its turn in this list. A registered task waits for its engine. */
function waitsInOrder (task: BackgroundTask): boolean {
  return task.state === 'waiting' && task.isInOrder
}
