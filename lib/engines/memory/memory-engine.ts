import type { Engine, EngineHost, EnginePage, EngineQuery, RunOutcome, StoredCounts, StoredPayload, StoredTask, TaskSnapshot } from '../../../types/index.js'
import { PriorityQueue } from '../../base/priority-queue.js'
import { Paced } from '../../base/turn-budget.js'
import { Entries } from './entries.js'
import { Entry } from './entry.js'

/** The default engine. It keeps tasks in the memory of this process, and loses them with the process. */
export function memoryEngine (): Engine {
  return new MemoryEngine()
}

class MemoryEngine implements Engine {
  #host: EngineHost | undefined
  #running = 0
  #paused = false
  readonly #entries = new Entries()
  /** Tasks that may start. */
  readonly #ready = new PriorityQueue<Entry>()
  readonly #starting = new Paced(() => this.#startNext())

  start (host: EngineHost): void {
    this.#host = host
    this.#runReady()
    // A delay may have been over before there was a host to tell.
    for (const { task } of this.#ready) if (task.delay !== undefined) host.due?.(task.id)
  }

  async add (tasks: StoredTask[]): Promise<string[]> {
    const ids = tasks.map((task) => this.#addOne(task))
    this.#runReady()
    return ids
  }

  findLocal (name: string, key: string): string | undefined {
    return this.#entries.findByKey({ name, key })
  }

  async get (id: string): Promise<TaskSnapshot | undefined> {
    return this.#entries.snapshot(id)
  }

  async cancel (id: string, reason?: unknown): Promise<boolean> {
    const entry = this.#entries.find(id)
    if (entry === undefined) return false
    this.#entries.freeKey(entry)
    if (entry.controller !== undefined) {
      entry.isCancelled = true
      entry.controller.abort(reason)
      return true
    }
    this.#ready.remove(entry)
    this.#finish(entry, 'cancelled')
    return true
  }

  watch (id: string, onChange: () => void): () => void {
    return this.#entries.watchers.add(id, onChange)
  }

  readonly list = async (query: EngineQuery): Promise<EnginePage> => this.#entries.list(query)
  readonly counts = async (): Promise<StoredCounts> => this.#entries.counts()
  readonly payload = async (id: string): Promise<StoredPayload | undefined> => this.#entries.payload(id)

  async retry (id: string): Promise<boolean> {
    // Before the start, no host can be told that the task waits again.
    const task = this.#host && this.#entries.takeUnlucky(id)
    if (task === undefined) return false
    this.#addOne(task)
    this.#host!.retried?.(task)
    this.#runReady()
    return true
  }

  watchAll (onChange: () => void): () => void {
    return this.#entries.watchers.addToAll(onChange)
  }

  /** Stops the timers of delayed tasks. Waiting tasks go on, because no other process can run them. */
  pause (): void {
    this.#paused = true
    for (const { timer } of this.#entries.unfinished) clearTimeout(timer)
  }

  async close (): Promise<void> {
    this.pause()
    this.#entries.clear()
    this.#ready.clear()
  }

  #addOne (task: StoredTask): string {
    const { id, delay } = task
    if (this.#entries.knows(id)) return id
    const known = this.#entries.findByKey(task)
    if (known !== undefined) return known
    const entry = new Entry(task)
    this.#entries.add(entry)
    if (delay === undefined) this.#ready.push(entry)
    else this.#delay(entry, delay)
    return id
  }

  #delay (entry: Entry, delayMs: number): void {
    entry.dueAt = Date.now() + delayMs
    this.#entries.update(entry, { state: 'delayed' })
    if (this.#paused) return
    entry.timer = setTimeout(() => {
      this.#ready.push(entry)
      this.#runReady()
      if (entry.snapshot.state !== 'delayed') return
      this.#entries.update(entry, { state: 'waiting' })
      this.#host?.due?.(entry.task.id)
    }, delayMs)
  }

  #runReady (): void {
    if (this.#canStart) this.#starting.run()
  }

  get #canStart (): boolean {
    return this.#host?.worker === true && this.#running < (this.#host.concurrency ?? Infinity) && this.#ready.size > 0
  }

  #startNext (): boolean {
    if (!this.#canStart) return false
    this.#run(this.#host!, this.#ready.shift()!)
    return true
  }

  #run (host: EngineHost, entry: Entry): void {
    const { attempts: attempt, task } = entry
    const controller = new AbortController()
    entry.controller = controller
    this.#running++
    this.#entries.update(entry, { state: 'active', attempt, startedAt: entry.snapshot.startedAt ?? new Date().toISOString() })
    const progress = (value: unknown): void => { this.#entries.update(entry, { progress: value }) }
    host.run(task, { attempt, signal: controller.signal, progress }).then((outcome) => {
      entry.controller = undefined
      this.#running--
      this.#apply(entry, outcome)
      this.#runReady()
    })
  }

  #apply (entry: Entry, outcome: RunOutcome): void {
    if (outcome.state !== 'delayed' && outcome.state !== 'interrupted') {
      this.#finish(entry, outcome.state, outcome)
    } else if (entry.isCancelled || outcome.delay === undefined) {
      // No other process can go on with a task that the shutdown has interrupted.
      this.#finish(entry, 'cancelled')
    } else {
      if (outcome.state === 'delayed') entry.attempts++
      this.#delay(entry, outcome.delay)
    }
  }

  #finish (entry: Entry, state: 'completed' | 'failed' | 'cancelled', outcome: Partial<TaskSnapshot> = {}): void {
    this.#entries.end(entry, state, outcome, this.#host?.history ?? Infinity)
  }
}
