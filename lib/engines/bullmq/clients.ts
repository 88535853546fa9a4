import type * as Bullmq from 'bullmq'
import { within } from '../../base/within.js'
import { type Client, closeClient, closeNow } from './close-client.js'
import type { BullmqModule } from './module.js'
import type { BullmqEngineOptions } from './options.js'
import { hasConnected, postgresBackend, postgresOptions } from './postgres-backend.js'
import { redisBackend, redisOptions } from './redis-backend.js'
import { areConnected, failSoon } from './redis-connections.js'

/** How long a call waits for a connection that is opening. */
const PATIENCE_MS = 1000

/** How long until the next attempt to reach a store. */
const RETRY_MS = 500

/** How long `pause` waits for the end of a connection. The deadline of close, which comes after, must not be late. */
const PARTING_MS = 200

/** About how many events the store keeps. Events hold results. A process that has missed events looks at its tasks. */
const MAX_EVENTS = 200

interface CommonOptions {
  connection: any
  prefix?: string
  telemetry?: Bullmq.Telemetry
}

/** Makes the objects of BullMQ for one queue in one store, and closes them. */
export class Clients {
  readonly #bullmq: BullmqModule
  readonly #options: BullmqEngineOptions
  readonly #factory: Bullmq.BackendFactory<any, any>
  readonly #onError: (error: Error) => void
  readonly #clients = new Set<Client>()
  /** The closing of dropped clients. */
  readonly #dropped = new Set<Promise<void>>()
  /** The clients that have been connected at least once. */
  readonly #open = new Set<Client>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #openedAt = Infinity
  #isClosed = false
  #lastError: Error | undefined

  constructor (bullmq: BullmqModule, options: BullmqEngineOptions, onError: (error: Error) => void) {
    this.#bullmq = bullmq
    this.#options = options
    this.#factory = options.postgres === undefined ? redisBackend(bullmq) : postgresBackend(bullmq)
    this.#onError = onError
  }

  queue (): Bullmq.Queue {
    const options = { ...this.#common(false), streams: { events: { maxLen: MAX_EVENTS } } }
    const queue = new this.#bullmq.Queue<any, any, string, any, any, string, any, any>(this.#name, options, this.#factory)
    return this.#opening(queue, async () => { if (this.isRedis) await failSoon(queue.getBackend()) })
  }

  /** The events of the queue, or those of another queue, whose name has the suffix. */
  events (suffix = ''): Bullmq.QueueEvents {
    const options = { ...this.#common(true), autorun: false }
    const events = new this.#bullmq.QueueEvents<any, any>(this.#name + suffix, options, this.#factory)
    return this.#opening(events, () => events.run()) as Bullmq.QueueEvents
  }

  worker (processor: Bullmq.Processor, own: Omit<Bullmq.WorkerOptions, 'connection'>): Bullmq.Worker {
    const { limiter, metrics } = this.#options
    const options = { ...this.#common(true), ...(limiter && { limiter }), ...(metrics && { metrics }), ...own }
    return this.#opening(new this.#bullmq.Worker<any, any, string, any, any, any>(this.#name, processor, options, this.#factory))
  }

  /** Whether a call to the client need not wait for its first connection. */
  isOpen (client: Client): boolean {
    return this.#open.has(client) || !this.isRedis
  }

  /** Rejects soon when the client has no connection yet. BullMQ itself would wait for its first connection for ever. */
  async assertOpen (client: Client): Promise<void> {
    if (this.isOpen(client)) return
    const left = this.#openedAt + PATIENCE_MS - performance.now()
    try {
      if (left <= 0) throw new Error('there is no connection')
      await within(left, () => client.waitUntilReady())
    } catch (error) {
      throw this.#lastError ?? error
    }
  }

  /** Begins to close a worker, so that it no longer waits for tasks. Redis tells only one waiting worker of each task. */
  async endWaiting (worker: Bullmq.Worker): Promise<void> {
    const backend = worker.getBackend()
    if (!this.isRedis || !this.#open.has(worker) || !await areConnected(backend)) return
    worker.close().catch(() => {})
    await within(PARTING_MS, () => backend.disconnectBlocking()).catch(() => {})
  }

  /** Closes every client, even when the store cannot be reached. */
  async close (): Promise<void> {
    this.#isClosed = true
    for (const timer of this.#timers) clearTimeout(timer)
    await Promise.all([...[...this.#clients].map((client) => this.#close(client)), ...this.#dropped])
  }

  /** Closes a client that is not needed any more. */
  drop (client: Client): void {
    this.#clients.delete(client)
    const dropped: Promise<void> = this.#close(client).catch(() => {}).finally(() => { this.#dropped.delete(dropped) })
    this.#dropped.add(dropped)
  }

  async #close (client: Client): Promise<void> {
    // BullMQ would wait for a client that has never been connected.
    const isOpen = this.#open.has(client) || hasConnected(client.getBackend())
    await (isOpen ? closeClient(client, this.isRedis) : closeNow(client))
  }

  get isRedis (): boolean {
    return this.#options.postgres === undefined
  }

  get #name (): string {
    return this.#options.queue ?? 'background-tasks'
  }

  #common (blocking: boolean): CommonOptions {
    const { connection, postgres, prefix, telemetry } = this.#options
    return {
      connection: postgres === undefined ? redisOptions(connection, blocking) : postgresOptions(postgres),
      ...(prefix !== undefined && { prefix }),
      ...(telemetry !== undefined && { telemetry })
    }
  }

  /** Keeps a new client, and calls `onOpen` when the client is connected. */
  #opening<Opened extends Client> (client: Opened, onOpen?: () => Promise<void>): Opened {
    this.#openedAt = Math.min(this.#openedAt, performance.now())
    this.#clients.add(client)
    client.on('error', (error) => {
      this.#lastError = error
      this.#onError(error)
    })
    this.#awaitOpen(client, onOpen)
    return client
  }

  #awaitOpen (client: Client, onOpen?: () => Promise<void>): void {
    client.waitUntilReady().then(async () => {
      this.#open.add(client)
      await onOpen?.()
    }).catch((error) => {
      if (this.#isClosed || !this.#clients.has(client)) return
      this.#onError(error)
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        this.#awaitOpen(client, onOpen)
      }, RETRY_MS)
      this.#timers.add(timer)
    })
  }
}
