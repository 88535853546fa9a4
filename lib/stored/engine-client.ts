import type { Engine, EngineHost, TransactionClient } from '../../types/index.js'
import { SharedTimeout } from './shared-timeout.js'
import { errors, toError } from '../errors.js'
import type { Executor } from '../run/executor.js'
import type { Census } from '../task/census.js'
import type { History } from '../task/history.js'
import { LentClient } from './lent-client.js'
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

/** Calls the engine, and keeps each registered task in step with the answer. */
export class EngineClient {
  readonly engine: Engine
  /** Whether the tasks of the engine never leave this process. */
  readonly isLocal: boolean
  readonly lateCancels: LateCancels
  readonly #services: EngineClientServices
  readonly #timeout: SharedTimeout
  readonly isWorker: boolean
  #isStarted = false
  /** Called with each stored task that close would wait for in vain. */
  onUnrunnable: ((task: BackgroundTask) => void) | undefined
  #paused: Promise<void> | undefined

  constructor (engine: Engine, services: EngineClientServices, { storeTimeout, worker }: Pick<ResolvedOptions, 'storeTimeout' | 'worker'>) {
    this.engine = engine
    this.isLocal = engine.findLocal !== undefined
    this.lateCancels = new LateCancels(this, services)
    this.#services = services
    this.#timeout = new SharedTimeout(storeTimeout)
    this.isWorker = worker
  }

  /** Starts the engine, which runs tasks if this process is a worker. */
  async start (host: Omit<EngineHost, 'due'>): Promise<void> {
    this.#isStarted = true
    await this.engine.start({ ...host, due: this.due })
  }

  /** The unfinished task of a local engine that has the key. */
  findByKey (name: string, key: string): BackgroundTask | undefined {
    const id = this.engine.findLocal?.(name, key)
    return id === undefined ? undefined : this.#services.history.find(id)
  }

  /**
   * Stores tasks in one batch. If storing fails, all the tasks fail. `report`: whether the failure is logged for each task.
   * @throws FST_BGT_ENGINE when the engine refuses the tasks, or takes longer than `storeTimeout`
   */
  async put (tasks: RegisteredTask[], report: boolean, client?: TransactionClient): Promise<void> {
    const { executor } = this.#services
    const lent = client && new LentClient(client)
    try {
      const stored = tasks.map((task) => task.leave(lent === undefined ? 'storing' : 'elsewhere'))
      const ids = await this.#timeout.within(() => this.engine.add(stored, lent && { client: lent }))
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
    } finally {
      lent?.takeBack()
    }
  }

  /**
   * Asks the engine a question.
   * @throws FST_BGT_ENGINE when the question fails, or takes longer than `storeTimeout`
   */
  async ask<Value> (question: (engine: Engine) => Promise<Value>): Promise<Value> {
    try {
      return await this.#timeout.within(() => question(this.engine))
    } catch (cause) {
      throw new errors.FST_BGT_ENGINE('asked for', { cause: toError(cause) })
    }
  }

  /** Has the engine hand out no more tasks, except those that only this process can run. A failure must not hold up close. */
  pause (): Promise<void> {
    return (this.#paused ??= this.ask(async (engine) => { await engine.pause() }).catch(() => {}))
  }

  /** Whether close would wait for the task in vain. Such a task is delayed, or no worker has started in this process. */
  cannotRunHere (task: BackgroundTask): boolean {
    if (!(task instanceof RegisteredTask) || task.run !== undefined) return false
    return task.state === 'delayed' || (task.state === 'waiting' && task.place === 'here' && !(this.isWorker && this.#isStarted))
  }

  /** Marks a task as waiting: its delay is over, but no slot is free. */
  readonly due = (id: string): void => {
    const { history, census } = this.#services
    const task = history.find(id)
    if (!(task instanceof RegisteredTask)) return
    task.dueAt = nowMs()
    if (task.state === 'delayed') census.move(task, 'waiting')
  }

  /** Takes the answer of the engine to one task. If another task has the key, the id is that of the other task. */
  #receive (task: RegisteredTask, id: string): void {
    if (task.finished) this.#receiveEnded(task, id)
    else if (!this.isLocal) this.#receiveElsewhere(task, id)
    else if (task.stored.id === id) this.receiveHere(task)
    else this.#receiveMerged(task, id)
  }

  /** Takes the answer for a task that ended while the engine stored it, because of a cancel or of close. */
  #receiveEnded (task: RegisteredTask, id: string): void {
    this.lateCancels.of(task)?.settle(true)
    // If the id belongs to another task, that task goes on.
    if (task.stored.id === id) this.engine.cancel(id).catch(() => {})
  }

  /** Takes a task that a local engine has. */
  receiveHere (task: RegisteredTask): void {
    task.place = 'here'
    const { delay } = task.stored
    if (delay !== undefined && task.dueAt === undefined && task.state === 'waiting') {
      task.ownExtras().nextAt = nowMs() + delay
      this.#services.census.move(task, 'delayed')
    }
    if (this.cannotRunHere(task)) this.onUnrunnable?.(task)
  }

  #receiveMerged (task: RegisteredTask, id: string): void {
    const target = this.#services.history.find(id)
    if (target !== undefined) mergeInto(target, task, this.#services)
    // The task that had the key has just ended, and the engine does not know yet. The key is free in the next turn.
    else setImmediate(() => { this.put([task], true).catch(() => {}) })
  }

  #receiveElsewhere (task: RegisteredTask, id: string): void {
    const { census, history, executor } = this.#services
    const late = this.lateCancels.of(task)
    if (late !== undefined && task.stored.id !== id) {
      // Another task has the key, and goes on.
      late.settle(true)
      executor.cancel(task, late.reason)
      return
    }
    if (task.goElsewhere(id)) history.forget(task.stored.id)
    if (late === undefined) census.handOver(task)
    else late.settle(this.lateCancels.carryOut(task, late.reason))
  }
}
