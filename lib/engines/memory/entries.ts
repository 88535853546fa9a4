import type { EnginePage, EngineQuery, StoredCounts, StoredPayload, StoredTask, TaskSnapshot, TaskState } from '../../../types/index.js'
import { isFinal } from '../../base/snapshot.js'
import { KeyIndex } from '../../base/key-index.js'
import { Latest } from '../../base/latest.js'
import { Watchers } from '../../base/watchers.js'
import { errors } from '../../errors.js'
import type { Entry } from './entry.js'

/** The tasks of the memory engine: the unfinished ones, and the latest that have ended. */
export class Entries {
  readonly watchers = new Watchers()
  readonly #unfinished = new Map<string, Entry>()
  readonly #ended = new Latest<Entry>()
  /** Ids of unfinished tasks by name and key. */
  readonly #keys = new KeyIndex<string>()
  #numbers = 0

  /** The id of the unfinished task that has the key. */
  findByKey (keyed: { name: string, key?: string | undefined }): string | undefined {
    return this.#keys.find(keyed)
  }

  /** The unfinished task of the id. */
  find (id: string): Entry | undefined {
    return this.#unfinished.get(id)
  }

  /** The unfinished tasks, the oldest first. */
  get unfinished (): Iterable<Entry> {
    return this.#unfinished.values()
  }

  /** Whether the engine remembers the id, of an unfinished task or of one that has ended. */
  knows (id: string): boolean {
    return this.#known(id) !== undefined
  }

  snapshot (id: string): TaskSnapshot | undefined {
    const entry = this.#known(id)
    return entry && { ...entry.snapshot }
  }

  payload (id: string): StoredPayload | undefined {
    const entry = this.#known(id)
    return entry && { payload: structuredClone(entry.task.payload), ...entry.origin }
  }

  #known (id: string): Entry | undefined {
    return this.#unfinished.get(id) ?? this.#ended.get(id)
  }

  add (entry: Entry): void {
    const { task } = entry
    entry.number = this.#numbers++
    this.#unfinished.set(task.id, entry)
    this.#keys.set(task, task.id)
    this.watchers.notify(task.id)
  }

  freeKey ({ task }: Entry): void {
    this.#keys.remove(task, task.id)
  }

  /** `limit`: how many tasks that have ended stay. */
  end (entry: Entry, state: TaskState, { error, result }: Partial<TaskSnapshot>, limit: number): void {
    const { id } = entry.task
    clearTimeout(entry.timer)
    this.#unfinished.delete(id)
    this.freeKey(entry)
    entry.number = this.#numbers++
    this.#ended.set(id, entry, limit)
    const finishedAt = new Date().toISOString()
    this.update(entry, { state, finishedAt, ...(error !== undefined && { error }), ...(result !== undefined && { result }) })
  }

  update (entry: Entry, change: Partial<TaskSnapshot>): void {
    Object.assign(entry.snapshot, change)
    this.watchers.notify(entry.task.id)
  }

  /**
   * Takes out a task that failed or was cancelled, as it may run again. Undefined for any other task, and when an unfinished
   * task has the key.
   */
  takeUnlucky (id: string): StoredTask | undefined {
    const entry = this.#ended.get(id)
    if (entry === undefined || entry.snapshot.state === 'completed' || this.#keys.find(entry.task) !== undefined) return undefined
    this.#ended.delete(id)
    const { delay, ...task } = entry.task
    return task
  }

  clear (): void {
    this.#unfinished.clear()
  }

  /** A cursor is the number of the last entry that was looked at. */
  list ({ state, name, limit, scan = 1000, cursor }: EngineQuery): EnginePage {
    if (cursor !== undefined && !/^\d+$/.test(cursor)) throw new errors.FST_BGT_INVALID_OPTIONS('cursor must be one of this engine')
    const after = cursor === undefined ? undefined : Number(cursor)
    const tasks: EnginePage['tasks'] = []
    let scanned = 0
    let last = 0
    for (const entry of isFinal(state) ? this.#ended.newestFirst() : this.unfinished) {
      const { number, snapshot } = entry
      if (after !== undefined && (isFinal(state) ? number >= after : number <= after)) continue
      if (snapshot.state !== state) continue
      if (tasks.length === limit || scanned === scan) return { tasks, scanned, cursor: String(last) }
      scanned++
      last = number
      if (name === undefined || name === snapshot.name) tasks.push(entry.listed)
    }
    return { tasks, scanned }
  }

  counts (): StoredCounts {
    const counts = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0, cancelled: 0, skipped: 0 }
    for (const entries of [this.unfinished, this.#ended.newestFirst()]) {
      for (const { snapshot } of entries) counts[snapshot.state]++
    }
    const { cancelled, skipped, failed, ...rest } = counts
    return { ...rest, failed: failed + cancelled }
  }
}
