import type { TaskSnapshot } from '../../types/index.js'
import { Latest } from '../base/latest.js'
import type { BackgroundTask } from './task.js'

/** Holds an unfinished task, and is emptied when the task ends. */
interface Place {
  task: BackgroundTask | undefined
}

/** A task that has ended. */
interface Finished {
  /** The id by which it is found. That of the snapshot is another one where the task ran in place of one with its key. */
  readonly id: string
  readonly snapshot: TaskSnapshot
  readonly reqId: string | undefined
  readonly key: string | undefined
  /** Whether the engine knows the task. */
  readonly isStored: boolean
}

/** Finds unfinished tasks, and the last `limit` finished ones, by id. A task enters the history when its id is first read. */
export class History {
  /** How many finished tasks are found. */
  readonly limit: number
  /**
   * The map holds places, not tasks. V8 leaves the tables that a Map has outgrown as they were, each linked to the next. An old
   * table keeps its values alive until the next major collection: here all the tasks, with their requests.
   */
  readonly #unfinished = new Map<string, Place>()
  readonly #finished = new Latest<Finished>()

  constructor (limit: number) {
    this.limit = limit
  }

  /** Takes in a task whose id was read for the first time. */
  track (task: BackgroundTask, id: string): void {
    if (task.finished) this.#remember(task, id)
    else this.#unfinished.set(id, { task })
  }

  /** Has the id find the target, until `finish` is called with this id. */
  merge (id: string, target: BackgroundTask): void {
    this.#unfinished.set(id, { task: target })
  }

  /** Keeps the snapshot of a task that has ended. */
  finish (task: BackgroundTask, id = task.extras?.id): void {
    if (id !== undefined && this.#leave(id)) this.#remember(task, id)
  }

  /** Drops the id of a task that goes on elsewhere: `get` then asks the engine for the id. */
  forget (id: string): void {
    this.#leave(id)
  }

  /** Takes in a task that runs again under its id. */
  reopen (task: BackgroundTask, id: string): void {
    this.drop(id)
    this.track(task, id)
  }

  /** Drops the snapshot of a finished task. */
  drop (id: string): void {
    this.#finished.delete(id)
  }

  has (id: string): boolean {
    return this.#unfinished.has(id) || this.#finished.get(id) !== undefined
  }

  /** The finished tasks, the latest first. Each once, although several ids may find it. */
  finished (): Finished[] {
    return this.#finished.newestFirst().filter(({ id, snapshot }) => id === snapshot.id)
  }

  /** The task that has ended under this id. */
  findFinished (id: string): Readonly<Finished> | undefined {
    return this.#finished.get(id)
  }

  find (id: string): BackgroundTask | undefined {
    return this.#unfinished.get(id)?.task
  }

  /** A snapshot that the caller may change. */
  get (id: string): TaskSnapshot | undefined {
    const task = this.find(id)
    return task === undefined ? structuredClone(this.#finished.get(id)?.snapshot) : structuredClone(task.toJSON())
  }

  #leave (id: string): boolean {
    const place = this.#unfinished.get(id)
    if (place === undefined) return false
    place.task = undefined
    return this.#unfinished.delete(id)
  }

  #remember (task: BackgroundTask, id: string): void {
    if (this.limit === 0) return
    const { key, isStored, owner: { reqId } } = task
    this.#finished.set(id, { id, snapshot: task.toJSON(), reqId, key, isStored }, this.limit)
  }
}
