import type * as Bullmq from 'bullmq'
import { Watchers } from '../../base/watchers.js'
import type { Clients } from './clients.js'
import { type Records, lookAtEach } from './records.js'

/** How often the lookout finds out whether anybody still watches. */
const TICK_MS = 1000

/** How often watched tasks are looked at for a change, because its event may get lost. */
const LOOK_MS = 5000

/** The events of BullMQ, and one of ours: of a task that is cancelled, but not ended yet. */
const CHANGES = ['waiting', 'active', 'delayed', 'progress', 'completed', 'failed', 'stalled', 'removed', 'cancel' as 'removed'] as const

/** Notices changes of tasks in all processes, by BullMQ's events and by regular looks. It works only while somebody watches. */
export class Lookout {
  readonly #clients: Clients
  readonly #records: () => Records
  readonly #watchers = new Watchers()
  /** The versions of watched tasks, as the last look found them. */
  #versions = new Map<string, string>()
  #events: Bullmq.QueueEvents | undefined
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #nextLookAt = 0

  constructor (clients: Clients, records: () => Records) {
    this.#clients = clients
    this.#records = records
  }

  /** Calls `onChange` after each change of the task, perhaps more often. The returned function ends the watch. */
  watch (id: string, onChange: () => void): () => void {
    return this.#watch(this.#watchers.add(id, onChange), onChange)
  }

  /** Calls `onChange` after changes of any task, and now and then. The returned function ends the watch. */
  watchAll (onChange: () => void): () => void {
    return this.#watch(this.#watchers.addToAll(onChange), onChange)
  }

  #watch (end: () => void, onChange: () => void): () => void {
    const events = this.#follow()
    let isOver = false
    // A change before the stream of events is open gives no event, so the watcher looks once.
    events.waitUntilReady().then(() => { if (!isOver) onChange() }, () => {})
    return () => {
      isOver = true
      end()
    }
  }

  close (): void {
    clearInterval(this.#timer)
  }

  /** Listens to events, and starts regular looks. */
  #follow (): Bullmq.QueueEvents {
    this.#timer ??= setInterval(() => { this.#tick() }, TICK_MS)
    if (this.#events !== undefined) return this.#events
    const events = this.#clients.events()
    for (const change of CHANGES) events.on(change, ({ jobId }: { jobId: string }) => { this.#watchers.notify(jobId) })
    this.#events = events
    return events
  }

  #tick (): void {
    if (this.#watchers.empty) return this.#rest()
    if (this.#isLooking || performance.now() < this.#nextLookAt) return
    this.#isLooking = true
    // If the store cannot be asked, the next tick tries again.
    this.#look().catch(() => {}).finally(() => { this.#isLooking = false })
  }

  /** Stops looks and events, because there is no watcher. */
  #rest (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#clients.drop(this.#events!)
    this.#events = undefined
  }

  async #look (): Promise<void> {
    const versions = new Map<string, string>()
    await lookAtEach(this.#records(), this.#watchers.ids, ({ id, version }) => {
      versions.set(id, version)
      if (this.#versions.get(id) !== version) this.#watchers.notify(id)
    })
    this.#versions = versions
    // Which tasks have changed would take a look at all of them.
    this.#watchers.notifyAll()
    this.#nextLookAt = performance.now() + LOOK_MS
  }
}
