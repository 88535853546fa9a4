import type { ResponseEnd, TransactionClient } from '../../types/index.js'
import type { EngineClient } from './engine-client.js'
import type { Executor } from '../run/executor.js'
import { type Keeper, RegisteredTask } from './registered-task.js'
import { describe, errors } from '../errors.js'
import { KeyIndex } from '../base/key-index.js'
import { queueMicrotask } from '../base/real-timers.js'
import { isWanted } from '../task/when.js'

/** The registered tasks of a list that were not given to the engine yet. */
export class Outbox implements Keeper {
  readonly #client: EngineClient
  readonly #executor: Executor
  #tasks = new Set<RegisteredTask>()
  readonly #keyed = new KeyIndex<RegisteredTask>()
  #isScheduled = false
  /** Resolves when the engine has stored every batch that it was given. */
  #underway: Promise<void> | undefined = undefined

  constructor (client: EngineClient, executor: Executor) {
    this.#client = client
    this.#executor = executor
  }

  add (task: RegisteredTask): void {
    // The snapshots of this process show the time that the engine shows, although two clocks were read.
    task.ownExtras().epochMs = task.stored.createdAt - task.createdAt
    if (this.#client.isLocal) task.owner.track(task, task.stored.id)
    else task.trackOnRead()
    this.#tasks.add(task)
    this.#keyed.set(task.stored, task)
  }

  find (name: string, key: string): RegisteredTask | undefined {
    return this.#keyed.find({ name, key })
  }

  cancelLate (task: RegisteredTask, reason: unknown): boolean {
    if (this.#client.isLocal || task.place !== 'storing') return false
    this.#client.lateCancels.add(task, reason)
    return true
  }

  drop (task: RegisteredTask): void {
    if (task.place !== 'here') return this.#remove(task)
    const { stored: { id }, state, error } = task
    // The engine forgets the task and frees its key.
    this.#client.engine.cancel(id, state === 'cancelled' ? (error as Error).cause : error).catch(() => {})
  }

  /**
   * Stores the tasks whose `when` this response meets. The other tasks stay, for a later hook may change the status.
   * Undefined when no task is being stored.
   * With a client, only the caller waits for its tasks. Another transaction may have to end before they are stored, and that one
   * must not wait for them.
   * `only`: the tasks to store. The caller relies on each of them.
   * @throws FST_BGT_INVALID_OPTIONS when one of these tasks cannot be stored now
   */
  flush (response: ResponseEnd | undefined, client?: TransactionClient, only?: readonly unknown[]): Promise<void> | undefined {
    const isReady = (task: RegisteredTask): boolean => isWanted(task.options.when, response)
    const unready = only?.findIndex((task) => !this.#tasks.has(task as RegisteredTask) || !isReady(task as RegisteredTask)) ?? -1
    if (unready >= 0) throw notReady(only![unready])
    const wanted = this.#take((task) => only?.includes(task) ?? isReady(task))
    if (client !== undefined) return wanted.length === 0 ? undefined : this.#client.put(wanted, false, client)
    return wanted.length === 0 ? this.#underway : this.#put(wanted, false)
  }

  /**
   * As `flush`, for the onSend hook. A reply does not wait for a local engine, which has the tasks at once. With an onSend hook
   * that answers later, a handler could run although an earlier hook has sent the reply. If storing fails, the tasks fail.
   */
  beforeSend (response: ResponseEnd): Promise<void> | undefined {
    if (!this.#client.isLocal) return this.flush(response)
    const wanted = this.#take((task) => isWanted(task.options.when, response))
    if (wanted.length > 0) this.#put(wanted, true).catch(() => {})
    return undefined
  }

  /** Stores, in one batch, the tasks of this turn that need not wait for the end of the response. */
  storeSoon (): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      // After hijack, `when` cannot be judged until the response is over.
      const isOver = (task: RegisteredTask): boolean => task.owner.response !== undefined || task.owner.request === undefined
      this.#settle(this.#take((task) => isOver(task) || task.options.when === 'always'))
    })
  }

  /** Stores or skips the other tasks, because the response is over. */
  end (): void {
    if (this.#tasks.size > 0) this.#settle(this.#take(() => true))
  }

  #settle (tasks: RegisteredTask[]): void {
    const wanted: RegisteredTask[] = []
    for (const task of tasks) {
      if (isWanted(task.options.when, task.response)) wanted.push(task)
      else this.#executor.skip(task)
    }
    // `put` has reported the failure for each task.
    if (wanted.length > 0) this.#put(wanted, true).catch(() => {})
  }

  /** Resolves when these tasks and those of earlier batches are stored. */
  #put (tasks: RegisteredTask[], report: boolean): Promise<void> {
    const put = this.#client.put(tasks, report)
    const underway = this.#underway === undefined ? put : Promise.all([this.#underway, put]).then(() => {})
    const onEnd = (): void => { if (this.#underway === underway) this.#underway = undefined }
    this.#underway = underway
    underway.then(onEnd, onEnd)
    return underway
  }

  #take (isTaken: (task: RegisteredTask) => boolean): RegisteredTask[] {
    const taken: RegisteredTask[] = []
    for (const task of this.#tasks) {
      if (!isTaken(task)) continue
      taken.push(task)
      this.#remove(task)
    }
    return taken
  }

  #remove (task: RegisteredTask): void {
    if (this.#tasks.delete(task)) this.#keyed.remove(task.stored, task)
  }
}

function notReady (task: unknown): Error {
  const received = task instanceof RegisteredTask ? `the task ${describe(task.name)}` : describe(task)
  return new errors.FST_BGT_INVALID_OPTIONS(
    `option "tasks" must hold registered tasks that wait here to be stored, and whose "when" is met, received ${received}`)
}
