import type { Engine, EngineHost, RunOutcome, StoredTask, TaskSnapshot } from '../../../types/index.js'
import { Watchers } from '../../base/watchers.js'

interface Entry {
  readonly task: StoredTask
  readonly snapshot: TaskSnapshot
  /** Those that count, with the next one. */
  attempts: number
  timer?: NodeJS.Timeout
  /** Of the attempt that runs. */
  controller?: AbortController
  /** Cancelled while it ran: not to run again. */
  isCancelled?: boolean
}

/** Keeps tasks in this process: nothing to set up, and gone with the process. The default engine. */
export function memoryEngine (): Engine {
  return new MemoryEngine()
}

class MemoryEngine implements Engine {
  #host: EngineHost | undefined
  #running = 0
  #paused = false
  readonly #unfinished = new Map<string, Entry>()
  readonly #finished = new Map<string, TaskSnapshot>()
  /** Ids of unfinished tasks by name and key. */
  readonly #keys = new Map<string, string>()
  /** Tasks that may start, the next one first. */
  readonly #ready: Entry[] = []
  readonly #watchers = new Watchers()

  start (host: EngineHost): void {
    this.#host = host
    this.#runReady()
    // The delay may have been over before anybody could be told.
    for (const { task } of this.#ready) if (task.delay !== undefined) host.due?.(task.id)
  }

  async add (tasks: StoredTask[]): Promise<string[]> {
    const ids = tasks.map((task) => this.#addOne(task))
    this.#runReady()
    return ids
  }

  findLocal (name: string, key: string): string | undefined {
    return this.#keys.get(keyOf(name, key))
  }

  async get (id: string): Promise<TaskSnapshot | undefined> {
    const snapshot = this.#unfinished.get(id)?.snapshot ?? this.#finished.get(id)
    return snapshot && { ...snapshot }
  }

  async cancel (id: string, reason?: unknown): Promise<boolean> {
    const entry = this.#unfinished.get(id)
    if (entry === undefined) return false
    this.#freeKey(entry)
    if (entry.controller !== undefined) {
      entry.isCancelled = true
      entry.controller.abort(reason)
      return true
    }
    const at = this.#ready.indexOf(entry)
    if (at >= 0) this.#ready.splice(at, 1)
    this.#finish(entry, 'cancelled')
    return true
  }

  watch (id: string, onChange: () => void): () => void {
    return this.#watchers.add(id, onChange)
  }

  /** Tasks that wait go on, for nobody else can run them; those for later do not. */
  pause (): void {
    this.#paused = true
    for (const { timer } of this.#unfinished.values()) clearTimeout(timer)
  }

  async close (): Promise<void> {
    this.pause()
    this.#unfinished.clear()
    this.#ready.length = 0
  }

  #addOne (task: StoredTask): string {
    const { id, name, key, delay, createdAt } = task
    const known = key === undefined ? undefined : this.findLocal(name, key)
    if (known !== undefined) return known
    const snapshot: TaskSnapshot = { id, name, state: 'waiting', attempt: 1, createdAt: new Date(createdAt).toISOString() }
    const entry: Entry = { task, attempts: 1, snapshot }
    this.#unfinished.set(id, entry)
    if (key !== undefined) this.#keys.set(keyOf(name, key), id)
    if (delay === undefined) this.#pushReady(entry)
    else this.#delay(entry, delay)
    return id
  }

  #delay (entry: Entry, delayMs: number): void {
    this.#update(entry, { state: 'delayed' })
    if (this.#paused) return
    entry.timer = setTimeout(() => {
      this.#pushReady(entry)
      this.#runReady()
      if (entry.snapshot.state !== 'delayed') return
      this.#update(entry, { state: 'waiting' })
      this.#host?.due?.(entry.task.id)
    }, delayMs)
  }

  /** Behind those of the same priority. */
  #pushReady (entry: Entry): void {
    let at = this.#ready.length
    while (at > 0 && priorityOf(this.#ready[at - 1]!) > priorityOf(entry)) at--
    this.#ready.splice(at, 0, entry)
  }

  #runReady (): void {
    if (this.#host?.worker !== true) return
    const { concurrency = Infinity } = this.#host
    while (this.#running < concurrency && this.#ready.length > 0) this.#run(this.#host, this.#ready.shift()!)
  }

  #run (host: EngineHost, entry: Entry): void {
    const { attempts: attempt, snapshot, task } = entry
    const controller = new AbortController()
    entry.controller = controller
    this.#running++
    this.#update(entry, { state: 'active', attempt, startedAt: snapshot.startedAt ?? new Date().toISOString() })
    const progress = (value: unknown): void => { this.#update(entry, { progress: value }) }
    host.run(task, { attempt, signal: controller.signal, progress }).then((outcome) => {
      delete entry.controller
      this.#running--
      this.#apply(entry, outcome)
      this.#runReady()
    })
  }

  #apply (entry: Entry, outcome: RunOutcome): void {
    if (outcome.state !== 'delayed' && outcome.state !== 'interrupted') {
      this.#finish(entry, outcome.state, outcome)
    } else if (entry.isCancelled === true || outcome.delay === undefined) {
      // What the end of this process has cut off is not for another.
      this.#finish(entry, 'cancelled')
    } else {
      if (outcome.state === 'delayed') entry.attempts++
      this.#delay(entry, outcome.delay)
    }
  }

  #finish (entry: Entry, state: 'completed' | 'failed' | 'cancelled', { error, result }: Partial<TaskSnapshot> = {}): void {
    const { id } = entry.task
    clearTimeout(entry.timer)
    this.#unfinished.delete(id)
    this.#freeKey(entry)
    this.#finished.set(id, entry.snapshot)
    if (this.#finished.size > (this.#host?.history ?? Infinity)) this.#finished.delete(this.#finished.keys().next().value as string)
    this.#update(entry, {
      state,
      finishedAt: new Date().toISOString(),
      ...(error !== undefined && { error }),
      ...(result !== undefined && { result })
    })
  }

  /** From now on another task may have the key. */
  #freeKey ({ task: { id, name, key } }: Entry): void {
    if (key !== undefined && this.findLocal(name, key) === id) this.#keys.delete(keyOf(name, key))
  }

  #update (entry: Entry, change: Partial<TaskSnapshot>): void {
    Object.assign(entry.snapshot, change)
    this.#watchers.notify(entry.task.id)
  }
}

function keyOf (name: string, key: string): string {
  return JSON.stringify([name, key])
}

function priorityOf ({ task }: Entry): number {
  return task.priority ?? 0
}
