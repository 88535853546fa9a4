import type * as Bullmq from 'bullmq'
import { Watchers } from '../../base/watchers.js'
import { parseOrText } from './json-or-text.js'
import type { Clients } from './clients.js'
import type { Look, Records } from './records.js'
import type { Runner } from './runner.js'

/** How often running tasks are looked at for a cancellation, because its event may get lost. */
const LOOK_MS = 1000

/** How often watched tasks are looked at for a change, because its event may get lost. */
const WATCHED_LOOK_MS = 5000

/** How many tasks one command looks at. Redis runs no other command meanwhile. */
const LOOK_SIZE = 500

const CHANGES = ['waiting', 'active', 'delayed', 'progress', 'completed', 'failed', 'stalled', 'removed'] as const

/** Notices changes of tasks in all processes, by BullMQ's events and by regular looks. It works only for a worker or watchers. */
export class Lookout {
  readonly #clients: Clients
  readonly #records: () => Records
  readonly #watchers = new Watchers()
  /** The versions of watched tasks, as the last look found them. */
  #versions = new Map<string, string>()
  #runner: Runner | undefined
  #events: Bullmq.QueueEvents | undefined
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #nextWatchedLookAt = 0

  constructor (clients: Clients, records: () => Records) {
    this.#clients = clients
    this.#records = records
  }

  /** Tells the runner of a worker about cancellations. */
  serve (runner: Runner): void {
    this.#runner = runner
    this.#follow()
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
    this.#timer ??= setInterval(() => { this.#tick() }, LOOK_MS)
    if (this.#events !== undefined) return this.#events
    const events = this.#clients.events()
    for (const change of CHANGES) events.on(change, ({ jobId }: { jobId: string }) => { this.#watchers.notify(jobId) })
    const onCancel = ({ jobId, reason }: { jobId: string, reason?: string }): void => {
      this.#runner?.cancel(jobId, parseOrText(reason))
      this.#watchers.notify(jobId)
    }
    events.on('cancel' as 'removed', onCancel as () => void)
    this.#events = events
    return events
  }

  #tick (): void {
    if (this.#runner === undefined && this.#watchers.empty) return this.#rest()
    if (this.#isLooking) return
    this.#isLooking = true
    // If the store cannot be asked, the next tick tries again.
    this.#look().catch(() => {}).finally(() => { this.#isLooking = false })
  }

  /** Stops looks and events, because there is no worker and no watcher. */
  #rest (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#clients.drop(this.#events!)
    this.#events = undefined
  }

  async #look (): Promise<void> {
    await this.#eachOf(this.#runner?.running ?? [], ({ id, cancelled }) => {
      if (cancelled !== undefined) this.#runner!.cancel(id, cancelled.reason)
    })
    if (performance.now() < this.#nextWatchedLookAt) return
    const versions = new Map<string, string>()
    await this.#eachOf(this.#watchers.ids, ({ id, version }) => {
      versions.set(id, version)
      if (this.#versions.get(id) !== version) this.#watchers.notify(id)
    })
    this.#versions = versions
    // Which tasks have changed would take a look at all of them.
    this.#watchers.notifyAll()
    this.#nextWatchedLookAt = performance.now() + WATCHED_LOOK_MS
  }

  async #eachOf (ids: string[], tell: (look: Look) => void): Promise<void> {
    for (let at = 0; at < ids.length; at += LOOK_SIZE) {
      for (const look of await this.#records().look(ids.slice(at, at + LOOK_SIZE))) tell(look)
    }
  }
}
