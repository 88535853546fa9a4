import type { Engine, EngineHost } from '../../types/index.js'
import { SharedTimeout } from './shared-timeout.js'
import { errors, toError } from '../errors.js'
import type { Executor } from '../run/executor.js'
import type { Census } from '../task/census.js'
import type { History } from '../task/history.js'
import { LateCancels } from './late-cancel.js'
import { mergeInto } from './merge.js'
import { nowMs } from '../base/clock.js'
import type { ResolvedOptions } from '../options/plugin-options.js'
import { setImmediate } from '../base/real-timers.js'
import type { BackgroundTask } from '../task/task.js'
import { RegisteredTask } from './registered-task.js'

export interface EngineClientServices {
  readonly census: Census
  readonly history: History
  readonly executor: Executor
}

/** The line to the engine, and what becomes of the tasks that it is given. */
export class EngineClient {
  readonly engine: Engine
  /** Whether the engine keeps its tasks in this process. */
  readonly isLocal: boolean
  readonly lateCancels: LateCancels
  readonly #services: EngineClientServices
  readonly #timeout: SharedTimeout
  readonly #isWorker: boolean
  /** Whether the engine was told to run tasks. */
  #isStarted = false
  /** Told of each stored task that would be waited for in vain. */
  onUnrunnable: ((task: BackgroundTask) => void) | undefined
  #paused: Promise<void> | undefined

  constructor (engine: Engine, services: EngineClientServices, { storeTimeout, worker }: Pick<ResolvedOptions, 'storeTimeout' | 'worker'>) {
    this.engine = engine
    this.isLocal = engine.findLocal !== undefined
    this.lateCancels = new LateCancels(this, services)
    this.#services = services
    this.#timeout = new SharedTimeout(storeTimeout)
    this.#isWorker = worker
  }

  /** Has the engine run tasks, if this process is a worker. */
  async start (host: Omit<EngineHost, 'due'>): Promise<void> {
    this.#isStarted = true
    await this.engine.start({ ...host, due: (id) => { this.due(id) } })
  }

  /** On a local engine: the unfinished task that has the key. */
  findByKey (name: string, key: string): BackgroundTask | undefined {
    const id = this.engine.findLocal?.(name, key)
    return id === undefined ? undefined : this.#services.history.find(id)
  }

  /**
   * Stores tasks, all in one batch. Those that could not be stored have failed, with a log line where `report` says so.
   * @throws FST_BGT_ENGINE when the engine refuses them, or takes too long
   */
  async put (tasks: RegisteredTask[], report: boolean): Promise<void> {
    const { executor } = this.#services
    try {
      const stored = tasks.map((task) => {
        task.place = 'storing'
        return task.stored
      })
      const ids = await this.#timeout.within(() => this.engine.add(stored))
      tasks.forEach((task, index) => { this.#receive(task, ids[index]!) })
    } catch (cause) {
      const error = new errors.FST_BGT_ENGINE('stored', { cause: toError(cause) })
      for (const task of tasks) {
        this.lateCancels.of(task)?.settle(Promise.reject(error))
        if (task.finished) continue
        if (report) executor.fail(task, error)
        else executor.stop(task, 'failed', error)
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
  cannotRunHere (task: BackgroundTask): boolean {
    if (!(task instanceof RegisteredTask) || task.run !== undefined) return false
    return task.state === 'delayed' || (task.state === 'waiting' && task.place === 'here' && !(this.#isWorker && this.#isStarted))
  }

  /** The delay of a task that this process keeps is over, but there is no room for it yet. */
  due (id: string): void {
    const { history, census } = this.#services
    const task = history.find(id)
    if (!(task instanceof RegisteredTask)) return
    task.dueAt = nowMs()
    if (task.state === 'delayed') census.move(task, 'waiting')
  }

  /** The engine has the task, under an id that is another task's where that one has the key. */
  #receive (task: RegisteredTask, id: string): void {
    if (task.finished) this.#receiveEnded(task, id)
    else if (!this.isLocal) this.#receiveElsewhere(task, id)
    else if (task.stored.id === id) this.#receiveHere(task)
    else this.#receiveMerged(task, id)
  }

  /** The task was cancelled, or the app has closed, while the engine stored it. */
  #receiveEnded (task: RegisteredTask, id: string): void {
    this.lateCancels.of(task)?.settle(true)
    // If the id belongs to another task, that task stays.
    if (task.stored.id === id) this.engine.cancel(id).catch(() => {})
  }

  #receiveHere (task: RegisteredTask): void {
    task.place = 'here'
    const isDelayed = task.stored.delay !== undefined && task.dueAt === undefined
    if (isDelayed && task.state === 'waiting') this.#services.census.move(task, 'delayed')
    if (this.cannotRunHere(task)) this.onUnrunnable?.(task)
  }

  #receiveMerged (task: RegisteredTask, id: string): void {
    const target = this.#services.history.find(id)
    if (target !== undefined) mergeInto(target, task, this.#services)
    // The task that had the key has just ended, which the engine does not know yet.
    else setImmediate(() => { this.put([task], true).catch(() => {}) })
  }

  #receiveElsewhere (task: RegisteredTask, id: string): void {
    const { census, history, executor } = this.#services
    const late = this.lateCancels.of(task)
    if (late !== undefined && task.stored.id !== id) {
      // Another task has its key, and goes on.
      late.settle(true)
      executor.cancel(task, late.reason)
      return
    }
    if (task.goElsewhere(id)) history.forget(task.stored.id)
    if (late === undefined) census.handOver(task)
    else late.settle(this.lateCancels.carryOut(task, late.reason))
  }
}
