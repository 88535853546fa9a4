import type { Engine } from '../../types/index.js'
import { SharedTimeout } from './shared-timeout.js'
import { type Definition, definitionOf } from '../named/define-task.js'
import { describe, errors, toError } from '../errors.js'
import type { Executor } from '../run/executor.js'
import { LateCancel, cancelStored } from './late-cancel.js'
import { mergeInto } from './merge.js'
import { setImmediate } from '../base/real-timers.js'
import type { ResolvedTaskOptions, Retry } from '../options/options.js'
import { isObject } from '../options/rules.js'
import { nowMs } from '../base/clock.js'
import type { BackgroundTask } from '../task/task.js'
import type { TaskQueue } from '../request/task-queue.js'

export interface StoreOptions {
  /** Milliseconds that the engine has to store a batch. */
  readonly storeTimeout: number
  /** Whether this process runs stored tasks. */
  readonly worker: boolean
  /** What tasks run with that say nothing else. */
  readonly route: ResolvedTaskOptions
}

/** The registered tasks of an app, and the engine that keeps what is added of them. */
export class Store {
  readonly executor: Executor
  readonly engine: Engine
  readonly #timeout: SharedTimeout
  readonly #isWorker: boolean
  readonly #retryIf: Retry['retryIf']
  /** Whether the engine was told to run tasks. */
  isStarted = false
  /** Told of each stored task that would be waited for in vain. */
  onForLater: ((task: BackgroundTask) => void) | undefined
  #paused: Promise<void> | undefined
  readonly #lateCancels = new Map<BackgroundTask, LateCancel>()
  readonly #definitions = new Map<string, Definition>()

  constructor (executor: Executor, engine: Engine, { storeTimeout, worker, route }: StoreOptions) {
    this.executor = executor
    this.engine = engine
    this.#timeout = new SharedTimeout(storeTimeout)
    this.#isWorker = worker
    this.#retryIf = route.retry?.retryIf
  }

  /**
   * Registers all of the tasks or none.
   * @throws FST_BGT_INVALID_TASK when one is no named task, FST_BGT_DUPLICATE_TASK when a name is taken
   */
  register (tasks: readonly unknown[]): void {
    const added = new Map<string, Definition>()
    for (const task of tasks) {
      const definition = isObject(task) ? definitionOf(task) : undefined
      if (definition === undefined) {
        throw new errors.FST_BGT_INVALID_TASK('only what defineTask returns can be registered', describe(task))
      }
      const { name } = definition
      if (this.#definitions.has(name) || added.has(name)) throw new errors.FST_BGT_DUPLICATE_TASK(name)
      added.set(name, definition)
    }
    for (const [name, definition] of added) this.#definitions.set(name, definition)
  }

  has (definition: Definition): boolean {
    return this.#definitions.get(definition.name) === definition
  }

  definition (name: string): Definition | undefined {
    return this.#definitions.get(name)
  }

  /** What a worker asks about retries of a task. */
  retryIfOf ({ options: { retry } }: Definition): Retry['retryIf'] {
    if (retry === undefined) return this.#retryIf
    return typeof retry === 'object' ? retry.retryIf : undefined
  }

  /** On an engine that keeps tasks in this process: the unfinished task that has the key. */
  findLocal (name: string, key: string): BackgroundTask | undefined {
    const id = this.engine.findLocal?.(name, key)
    return id === undefined ? undefined : this.executor.history.find(id)
  }

  /**
   * Stores tasks, all in one batch. Those that could not be stored have failed, with a log line where `report` says so.
   * @throws FST_BGT_ENGINE when the engine refuses them, or takes too long
   */
  async put (tasks: BackgroundTask[], report: boolean): Promise<void> {
    try {
      const stored = tasks.map((task) => task.extras!.stored!)
      const ids = await this.#timeout.within(() => this.engine.add(stored))
      tasks.forEach((task, index) => { this.#receive(task, ids[index]!) })
    } catch (cause) {
      const error = new errors.FST_BGT_ENGINE('stored', { cause: toError(cause) })
      for (const task of tasks) {
        this.#takeLateCancel(task)?.settle(Promise.reject(error))
        if (task.finished) continue
        if (report) this.executor.fail(task, task.owner as TaskQueue, error)
        else this.executor.stop(task, task.owner as TaskQueue, 'failed', error)
      }
      throw error
    }
  }

  /**
   * Asks the engine something that takes no longer than storing.
   * @throws FST_BGT_ENGINE when it fails, or takes too long
   */
  async ask<Value> (question: (engine: Engine) => Promise<Value>): Promise<Value> {
    try {
      return await this.#timeout.within(() => question(this.engine))
    } catch (cause) {
      throw new errors.FST_BGT_ENGINE('asked for', { cause: toError(cause) })
    }
  }

  /** No more tasks from the engine, except those that only this process can run. A failure must not hold up closing. */
  pause (): Promise<void> {
    return (this.#paused ??= this.ask(async (engine) => { await engine.pause() }).catch(() => {}))
  }

  /** Whether the task would be waited for in vain: it is for later, or for a worker, which this process is not, or not yet. */
  isForLater ({ state, extras }: BackgroundTask): boolean {
    if (extras?.run !== undefined) return false
    return state === 'delayed' || (state === 'waiting' && extras?.isStored === true && !(this.#isWorker && this.isStarted))
  }

  /** Cancels a task that other processes may run once it is stored. False when the engine is not storing it. */
  cancelLate (task: BackgroundTask, reason: unknown): boolean {
    const { stored, run } = task.extras ?? {}
    if (this.engine.findLocal !== undefined || stored === undefined || run !== undefined) return false
    if (!this.#lateCancels.has(task)) this.#lateCancels.set(task, new LateCancel(reason))
    return true
  }

  /** Whether the cancellation of a task that the engine is storing has an effect. */
  lateEffect (task: BackgroundTask): Promise<boolean> | undefined {
    return this.#lateCancels.get(task)?.effect
  }

  #takeLateCancel (task: BackgroundTask): LateCancel | undefined {
    if (this.#lateCancels.size === 0) return undefined
    const late = this.#lateCancels.get(task)
    this.#lateCancels.delete(task)
    return late
  }

  /** Has the engine forget a task that has ended here. */
  drop ({ extras, state, error }: BackgroundTask): void {
    if (extras?.isStored !== true) return
    this.engine.cancel(extras.id!, state === 'cancelled' ? (error as Error).cause : error).catch(() => {})
  }

  /** The delay of a task that this process keeps is over, but there is no room for it yet. */
  due (id: string): void {
    const task = this.executor.history.find(id)
    if (task === undefined) return
    task.extras!.dueAt = nowMs()
    if (task.state === 'delayed') this.executor.census.move(task, 'waiting')
  }

  /** The engine has the task, under an id that may be another one's. */
  #receive (task: BackgroundTask, id: string): void {
    const extras = task.extras!
    const late = this.#takeLateCancel(task)
    if (task.finished) {
      late?.settle(true)
      // Cancelled while it was being stored. Under another id it is another one's.
      if (extras.id === id) this.engine.cancel(id).catch(() => {})
      return
    }
    if (this.engine.findLocal !== undefined && extras.id === id) {
      extras.isStored = true
      const isDelayed = extras.stored!.delay !== undefined && extras.dueAt === undefined
      if (isDelayed && task.state === 'waiting') this.executor.census.move(task, 'delayed')
      if (this.isForLater(task)) this.onForLater?.(task)
      return
    }
    if (this.engine.findLocal !== undefined) {
      const target = this.executor.history.find(id)
      if (target !== undefined) mergeInto(target, task, this.executor)
      // The one that had the key has just ended, which the engine does not know yet.
      else setImmediate(() => { this.put([task], true).catch(() => {}) })
      return
    }
    if (late !== undefined && extras.id !== id) {
      // Another task has its key, and goes on.
      late.settle(true)
      this.executor.cancel(task, task.owner as TaskQueue, late.reason)
      return
    }
    if (extras.isIdUnread === true) extras.isIdUnread = false
    else this.executor.history.forget(task)
    extras.id = id
    if (late === undefined) this.executor.census.handOver(task, task.owner as TaskQueue)
    else late.settle(cancelStored(this, task, late.reason))
  }
}
