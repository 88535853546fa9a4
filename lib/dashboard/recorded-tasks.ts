import { Fifo } from '../base/fifo.js'
import { RegisteredTask } from '../stored/registered-task.js'
import type { BackgroundTask } from '../task/task.js'
import type { RecordedTask } from './recorded-task.js'

/** How many tasks are kept: the latest. */
const MAX_TASKS = 1000

/** The latest tasks of an app. */
export class RecordedTasks {
  /** The oldest first. A request that is dropped leaves its tasks here. */
  readonly #kept = new Fifo<RecordedTask>()
  /** Tasks that have neither ended nor gone elsewhere. */
  readonly #byTask = new Map<BackgroundTask, RecordedTask>()
  /** Registered tasks. */
  readonly #byId = new Map<string, RecordedTask>()

  /** Whether of so many tasks, the one at this index is among the latest. */
  static isLate (index: number, count: number): boolean {
    return index >= count - MAX_TASKS
  }

  /** The unfinished task, if it is kept. */
  of (task: BackgroundTask): RecordedTask | undefined {
    return this.#byTask.get(task)
  }

  /** The task of an id that was read, or of a registered task. */
  find (id: string): RecordedTask | undefined {
    return this.#byId.get(id) ?? this.#kept.toArray().find((task) => task.knownId === id)
  }

  /** The registered task of the id. */
  findRegistered (id: string): RecordedTask | undefined {
    return this.#byId.get(id)
  }

  /** Has a kept task stand for another object: a task of a shared store has one for each attempt. */
  goOn (task: BackgroundTask, recorded: RecordedTask): void {
    this.#byTask.set(task, recorded)
  }

  /** Keeps a new task, and drops the oldest when there are too many. */
  keep (task: BackgroundTask, recorded: RecordedTask): void {
    this.#byTask.set(task, recorded)
    if (task instanceof RegisteredTask) this.#byId.set(task.stored.id, recorded)
    this.#kept.push(recorded)
    if (this.#kept.size <= MAX_TASKS) return
    const oldest = this.#kept.shift()!
    oldest.request?.remove(oldest)
    this.forget(oldest)
  }

  /** Notes that a task has ended here, or gone elsewhere. */
  leave (task: BackgroundTask): void {
    this.#byTask.delete(task)
  }

  /** Has the task be found no more, except by the id of a function task. */
  forget (recorded: RecordedTask): void {
    const { id, task } = recorded
    if (task !== undefined) this.#byTask.delete(task)
    if (id !== undefined && this.#byId.get(id) === recorded) this.#byId.delete(id)
    recorded.task = undefined
  }

  /** Has a task be found by the id of the one that has its key, unless that one is recorded itself. */
  rename (recorded: RecordedTask, before: string): void {
    const id = recorded.id!
    this.#byId.delete(before)
    recorded.target = this.#byId.get(id)
    if (recorded.target === undefined) this.#byId.set(id, recorded)
  }
}
