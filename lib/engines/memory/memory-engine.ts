import type { Engine, EngineHost, RunOutcome, StoredTask, TaskSnapshot } from '../../../types/index.js'
import { KeyIndex } from '../../base/key-index.js'
import { Latest } from '../../base/latest.js'
import { PriorityQueue } from '../../base/priority-queue.js'
import { Paced } from '../../base/turn-budget.js'
import { Watchers } from '../../base/watchers.js'
import { Entry } from './entry.js'

/** The default engine. It keeps tasks in the memory of this process, and loses them with the process. */
export function memoryEngine (): Engine {
  return new MemoryEngine()
}

class MemoryEngine implements Engine {
  #host: EngineHost | undefined
  #running = 0
  #paused = false
  readonly #unfinished = new Map<string, Entry>()
  readonly #finished = new Latest<TaskSnapshot>()
  /** Ids of unfinished tasks by name and key. */
  readonly #keys = new KeyIndex<string>()
  /** Tasks that may start. */
  readonly #ready = new PriorityQueue<Entry>()
  readonly #starting = new Paced(() => this.#startNext())
  readonly #watchers = new Watchers()

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
    return this.#keys.find({ name, key })
  }

  async get (id: string): Promise<TaskSnapshot | undefined> {
    const entry = this.#unfinished.get(id)
    const snapshot = entry === undefined ? this.#finished.get(id) : entry.snapshot
    return snapshot && { ...snapshot }
  }

  async cancel (id: string, reason?: unknown): Promise<boolean> {
    const entry = this.#unfinished.get(id)
    if (entry === undefined) return false
    this.#keys.remove(entry.task, id)
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
    return this.#watchers.add(id, onChange)
  }

  /** Stops the timers of delayed tasks. Waiting tasks go on, because no other process can run them. */
  pause (): void {
    this.#paused = true
    for (const { timer } of this.#unfinished.values()) clearTimeout(timer)
  }

  async close (): Promise<void> {
    this.pause()
    this.#unfinished.clear()
    this.#ready.clear()
  }

  #addOne (task: StoredTask): string {
    const { id, delay } = task
    if (this.#unfinished.has(id) || this.#finished.get(id) !== undefined) return id
    const known = this.#keys.find(task)
    if (known !== undefined) return known
    const entry = new Entry(task)
    this.#unfinished.set(id, entry)
    this.#keys.set(task, id)
    if (delay === undefined) this.#ready.push(entry)
    else this.#delay(entry, delay)
    return id
  }

  #delay (entry: Entry, delayMs: number): void {
    this.#update(entry, { state: 'delayed' })
    if (this.#paused) return
    entry.timer = setTimeout(() => {
      this.#ready.push(entry)
      this.#runReady()
      if (entry.snapshot.state !== 'delayed') return
      this.#update(entry, { state: 'waiting' })
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
    this.#update(entry, { state: 'active', attempt, startedAt: entry.snapshot.startedAt ?? new Date().toISOString() })
    const progress = (value: unknown): void => { this.#update(entry, { progress: value }) }
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

  #finish (entry: Entry, state: 'completed' | 'failed' | 'cancelled', { error, result }: Partial<TaskSnapshot> = {}): void {
    const { task, task: { id } } = entry
    clearTimeout(entry.timer)
    this.#unfinished.delete(id)
    this.#keys.remove(task, id)
    this.#finished.set(id, entry.snapshot, this.#host?.history ?? Infinity)
    const finishedAt = new Date().toISOString()
    this.#update(entry, { state, finishedAt, ...(error !== undefined && { error }), ...(result !== undefined && { result }) })
  }

  #update (entry: Entry, change: Partial<TaskSnapshot>): void {
    Object.assign(entry.snapshot, change)
    this.#watchers.notify(entry.task.id)
  }
}
