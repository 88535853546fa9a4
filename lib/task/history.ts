import type { TaskSnapshot } from '../../types/index.js'
import { Latest } from '../base/latest.js'
import type { BackgroundTask } from './task.js'

/** Where a task is as long as it is unfinished. */
interface Place {
  task: BackgroundTask | undefined
}

/** Finds tasks by id: the unfinished ones, and the last `limit` finished ones. Knows only ids that somebody has read. */
export class History {
  readonly #limit: number
  /**
   * Places, for V8 leaves the tables that a Map has outgrown as they were, each with a link to the next: those that have got
   * old keep alive, until the next major collection, all that was ever in one of them, here the tasks and their requests.
   */
  readonly #unfinished = new Map<string, Place>()
  readonly #finished = new Latest<TaskSnapshot>()

  constructor (limit: number) {
    this.#limit = limit
  }

  /** The id of a task was read for the first time. */
  track (task: BackgroundTask, id: string): void {
    if (task.finished) this.#remember(task, id)
    else this.#unfinished.set(id, { task })
  }

  /** The id finds another task from now on, until `finish` is called for it too. */
  merge (id: string, target: BackgroundTask): void {
    this.#unfinished.set(id, { task: target })
  }

  /** A task has ended. */
  finish (task: BackgroundTask, id = task.extras?.id): void {
    if (id !== undefined && this.#leave(id)) this.#remember(task, id)
  }

  /** The task goes on elsewhere, and is to be asked for there. */
  forget (id: string): void {
    this.#leave(id)
  }

  find (id: string): BackgroundTask | undefined {
    return this.#unfinished.get(id)?.task
  }

  /** A snapshot that the caller may change. */
  get (id: string): TaskSnapshot | undefined {
    const task = this.find(id)
    return task === undefined ? structuredClone(this.#finished.get(id)) : structuredClone(task.toJSON())
  }

  #leave (id: string): boolean {
    const place = this.#unfinished.get(id)
    if (place === undefined) return false
    place.task = undefined
    return this.#unfinished.delete(id)
  }

  #remember (task: BackgroundTask, id: string): void {
    if (this.#limit > 0) this.#finished.set(id, task.toJSON(), this.#limit)
  }
}
