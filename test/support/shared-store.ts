import type { Engine, EngineHost, RunOutcome, StoredTask, TaskSnapshot } from '../../index.js'
import { nextTurn } from './turns.js'

interface Entry {
  readonly task: StoredTask
  readonly snapshot: TaskSnapshot
  /** The number of the next attempt, or of the one that runs. */
  attempt: number
  /** Ends a delay. */
  timer?: NodeJS.Timeout | undefined
  /** Of the attempt that runs, wherever. */
  controller?: AbortController | undefined
  /** Cancelled while it ran: not to run again. */
  isCancelled?: boolean
  /** Who runs it, or ran it last. */
  engine?: SharedEngine
}

const copy = <Value>(value: Value): Value => JSON.parse(JSON.stringify(value))

/** Keeps the tasks of several apps, as a database would for several processes: as JSON, and every answer takes its time. */
export class SharedStore {
  readonly entries = new Map<string, Entry>()
  readonly engines = new Set<SharedEngine>()
  readonly #watchers = new Map<string, Set<() => void>>()

  /** Another engine on this store. */
  readonly createEngine = (): SharedEngine => new SharedEngine(this)

  find (name: string, key: string | undefined): string | undefined {
    if (key === undefined) return
    return [...this.entries.values()].find(({ task, snapshot }) =>
      task.name === name && task.key === key && snapshot.finishedAt === undefined)?.task.id
  }

  update (entry: Entry, change: Partial<TaskSnapshot>): void {
    Object.assign(entry.snapshot, change)
    for (const onChange of this.#watchers.get(entry.task.id) ?? []) setImmediate(onChange)
  }

  watch (id: string, onChange: () => void): () => void {
    const watchers = this.#watchers.get(id) ?? new Set()
    this.#watchers.set(id, watchers.add(onChange))
    return () => { watchers.delete(onChange) }
  }

  wait (entry: Entry, delayMs = 0): void {
    this.update(entry, { state: delayMs > 0 ? 'delayed' : 'waiting' })
    if (delayMs > 0) entry.timer = setTimeout(() => { this.wait(entry) }, delayMs)
    else for (const engine of this.engines) engine.work()
  }

  /** The waiting task to run next. */
  next (): Entry | undefined {
    const waiting = [...this.entries.values()].filter(({ snapshot }) => snapshot.state === 'waiting')
    return waiting.sort((a, b) => (a.task.priority ?? 0) - (b.task.priority ?? 0))[0]
  }

  finish (entry: Entry, state: 'completed' | 'failed' | 'cancelled', more: Partial<TaskSnapshot> = {}): void {
    clearTimeout(entry.timer)
    this.update(entry, { ...more, state, finishedAt: new Date().toISOString() })
  }

  leave (engine: SharedEngine): void {
    this.engines.delete(engine)
    if (this.engines.size === 0) for (const { timer } of this.entries.values()) clearTimeout(timer)
  }
}

export class SharedEngine implements Engine {
  readonly #store: SharedStore
  #host: EngineHost | undefined
  #running = 0
  #isPaused = false

  constructor (store: SharedStore) {
    this.#store = store
    store.engines.add(this)
  }

  start (host: EngineHost): void {
    this.#host = host
    this.work()
  }

  async add (tasks: StoredTask[]): Promise<string[]> {
    await nextTurn()
    const ids = copy(tasks).map((task) => {
      const { id, name, key, delay, createdAt } = task
      const known = this.#store.entries.has(id) ? id : this.#store.find(name, key)
      if (known !== undefined) return known
      const entry: Entry = { task, attempt: 1, snapshot: { id, name, state: 'waiting', attempt: 1, createdAt: new Date(createdAt).toISOString() } }
      this.#store.entries.set(id, entry)
      this.#store.wait(entry, delay)
      return id
    })
    await nextTurn()
    return ids
  }

  async get (id: string): Promise<TaskSnapshot | undefined> {
    await nextTurn()
    const entry = this.#store.entries.get(id)
    return entry && copy(entry.snapshot)
  }

  async cancel (id: string, reason?: unknown): Promise<boolean> {
    await nextTurn()
    const entry = this.#store.entries.get(id)
    if (entry === undefined || entry.snapshot.finishedAt !== undefined) return false
    if (entry.controller === undefined) {
      this.#store.finish(entry, 'cancelled')
    } else {
      entry.isCancelled = true
      entry.controller.abort(reason)
    }
    return true
  }

  watch (id: string, onChange: () => void): () => void {
    return this.#store.watch(id, onChange)
  }

  pause (): void {
    this.#isPaused = true
  }

  async close (): Promise<void> {
    this.#isPaused = true
    this.#store.leave(this)
  }

  /** As if its process had died: others run what it ran. */
  crash (): void {
    this.#isPaused = true
    for (const entry of this.#store.entries.values()) {
      if (entry.engine !== this || entry.controller === undefined) continue
      entry.controller = undefined
      this.#store.wait(entry)
    }
  }

  /** Takes as many tasks as it may run. */
  work (): void {
    setImmediate(() => {
      const host = this.#host
      if (host?.worker !== true) return
      while (!this.#isPaused && this.#running < (host.concurrency ?? Infinity)) {
        const entry = this.#store.next()
        if (entry === undefined) return
        this.#run(host, entry)
      }
    })
  }

  #run (host: EngineHost, entry: Entry): void {
    const { task, snapshot, attempt } = entry
    const controller = entry.controller = new AbortController()
    const { signal } = controller
    entry.engine = this
    this.#running++
    this.#store.update(entry, { state: 'active', attempt, startedAt: snapshot.startedAt ?? new Date().toISOString() })
    const progress = (value: unknown): void => { this.#store.update(entry, { progress: copy(value) }) }
    host.run(copy(task), { attempt, signal, progress }).then((outcome) => {
      // Somebody else has it since this engine has died.
      if (entry.controller !== controller) return
      entry.controller = undefined
      this.#running--
      this.#apply(entry, copy(outcome))
      this.work()
    })
  }

  #apply (entry: Entry, outcome: RunOutcome): void {
    const { state, ...more } = outcome
    if (state === 'interrupted') this.#store.wait(entry, outcome.delay)
    else if (state === 'delayed' && entry.isCancelled === true) this.#store.finish(entry, 'cancelled')
    else if (state === 'delayed') {
      entry.attempt++
      this.#store.wait(entry, outcome.delay)
    } else this.#store.finish(entry, state, more as Partial<TaskSnapshot>)
  }
}
