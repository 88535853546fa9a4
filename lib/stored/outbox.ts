import type { ResponseEnd } from '../../types/index.js'
import type { EngineClient } from './engine-client.js'
import type { Executor } from '../run/executor.js'
import type { Keeper, RegisteredTask } from './registered-task.js'
import { KeyIndex } from '../base/key-index.js'
import { queueMicrotask } from '../base/real-timers.js'
import { isWanted } from '../task/when.js'

/** The registered tasks of a list that its engine does not have yet. */
export class Outbox implements Keeper {
  readonly #client: EngineClient
  readonly #executor: Executor
  #tasks = new Set<RegisteredTask>()
  readonly #keyed = new KeyIndex<RegisteredTask>()
  #isDue = false
  /** What the engine has not answered yet. */
  #underway: Promise<void> | undefined = undefined

  constructor (client: EngineClient, executor: Executor) {
    this.#client = client
    this.#executor = executor
  }

  add (task: RegisteredTask): void {
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
    // So that the engine forgets it.
    this.#client.engine.cancel(id, state === 'cancelled' ? (error as Error).cause : error).catch(() => {})
  }

  /**
   * Stores what a response of this kind wants, and keeps the rest for a later pass: another hook may change the status.
   * Undefined when there is nothing to store.
   */
  flush (response: ResponseEnd | undefined): Promise<void> | undefined {
    const wanted = this.#take((task) => isWanted(task.options.when, response))
    return wanted.length === 0 ? this.#underway : this.#put(wanted, false)
  }

  /**
   * As `flush`, for a reply that is about to leave. Nothing waits for an engine of this process: it has the tasks at once, and
   * a hook that answers later would let the handler run behind a hook that has sent the reply. A failure is that of the tasks.
   */
  beforeSend (response: ResponseEnd): Promise<void> | undefined {
    if (!this.#client.isLocal) return this.flush(response)
    const wanted = this.#take((task) => isWanted(task.options.when, response))
    if (wanted.length > 0) this.#put(wanted, true).catch(() => {})
    return undefined
  }

  /** Stores what need not wait for the end of a response, in one batch with what is added in this turn. */
  storeSoon (): void {
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      // After hijack there is no status to judge until the response is over.
      const isOver = (task: RegisteredTask): boolean => task.owner.response !== undefined || task.owner.request === undefined
      this.#settle(this.#take((task) => isOver(task) || task.options.when === 'always'))
    })
  }

  /** The response is over: stores or skips the rest. */
  end (): void {
    if (this.#tasks.size > 0) this.#settle(this.#take(() => true))
  }

  #settle (tasks: RegisteredTask[]): void {
    const wanted: RegisteredTask[] = []
    for (const task of tasks) {
      if (isWanted(task.options.when, task.response)) wanted.push(task)
      else this.#executor.skip(task)
    }
    // A failure has been reported as that of the tasks.
    if (wanted.length > 0) this.#put(wanted, true).catch(() => {})
  }

  /** Resolves when these are stored, and those that were under way before. */
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
