import type * as Bullmq from 'bullmq'
import type {
  Engine, EngineAddOptions, EngineHost, EnginePage, EngineQuery, StoredCounts, StoredPayload, StoredTask, TaskSnapshot
} from '../../../types/index.js'
import { isFinal } from '../../base/snapshot.js'
import { Cancellations } from './cancellations.js'
import { Clients } from './clients.js'
import { type JobData, idOf, isId, toJob, toSnapshot } from './jobs.js'
import { Lookout } from './lookout.js'
import type { BullmqModule } from './module.js'
import { type Overview, listPage } from './overview.js'
import { type BullmqEngineOptions, checkEngineOptions } from './options.js'
import { postgresRecords } from './postgres-records.js'
import { toPlainReason } from './reason.js'
import type { Records } from './records.js'
import { redisRecords } from './redis-records.js'
import { Runner } from './runner.js'
import { StoreErrors } from './store-errors.js'
import { Transactions } from './transactions.js'
import { workerOptions } from './worker-options.js'

/** The engine that keeps tasks in Redis or PostgreSQL through BullMQ. */
export class BullmqEngine implements Engine {
  readonly #bullmq: BullmqModule
  readonly #options: BullmqEngineOptions
  readonly #clients: Clients
  readonly #errors = new StoreErrors()
  readonly #lookout: Lookout
  #cancellations: Cancellations | undefined
  #runner: Runner | undefined
  #worker: Bullmq.Worker | undefined
  #queue: Bullmq.Queue<JobData, unknown, string> | undefined
  #records: (Records & Overview) | undefined
  #transactions: Transactions | undefined

  readonly transactional: boolean

  constructor (bullmq: BullmqModule, options: BullmqEngineOptions) {
    checkEngineOptions(options)
    this.transactional = options.postgres !== undefined
    this.#bullmq = bullmq
    this.#options = options
    this.#clients = new Clients(bullmq, options, this.#errors.report)
    this.#lookout = new Lookout(this.#clients, () => this.#open())
  }

  /** The queue of BullMQ, for a dashboard. Opened on first use. */
  get queue (): Bullmq.Queue<JobData, unknown, string> {
    return (this.#queue ??= this.#clients.queue())
  }

  start (host: EngineHost): void {
    this.#errors.log = host.log
    // The connection opens now, so that the first request need not wait for it.
    this.#open()
    // If the store cannot be reached yet, the first transaction finds the schema.
    if (this.transactional) this.#inTransactions.open().catch(() => {})
    if (!host.worker) return
    const worker = this.#clients.worker(((job, token) => runner.run(job, token)) as Bullmq.Processor, workerOptions(this.#options, host))
    // The records use the connection of the worker. The connection of the queue may close while a task ends.
    const records = this.#recordsOf(worker.getBackend())
    const runner = new Runner(this.#bullmq, host, records)
    this.#runner = runner
    this.#worker = worker
    this.#cancellations = new Cancellations(this.#clients, worker, records, runner)
  }

  async add (tasks: StoredTask[], options?: EngineAddOptions): Promise<string[]> {
    const { removeAfter = 86_400_000 } = this.#options
    const queue = options === undefined ? this.queue : await this.#inTransactions.queueIn(options.client)
    if (!this.#clients.isOpen(queue)) await this.#clients.assertOpen(queue)
    if (tasks.length > 1) return (await queue.addBulk(tasks.map((task) => toJob(task, removeAfter)))).map(idOf)
    const { name, data, opts } = toJob(tasks[0]!, removeAfter)
    return [idOf(await queue.add(name, data, opts))]
  }

  async get (id: string): Promise<TaskSnapshot | undefined> {
    const records = await this.#find(id)
    const record = await records?.read(id)
    return record && toSnapshot(record)
  }

  async cancel (id: string, reason?: unknown): Promise<boolean> {
    const records = await this.#find(id)
    const plain = toPlainReason(reason)
    const found = await records?.cancel(id, { reason: plain, at: Date.now() }) ?? 'none'
    if (found === 'again') return !isFinal((await this.get(id))?.state ?? 'cancelled')
    return found !== 'none'
  }

  watch (id: string, onChange: () => void): () => void {
    return this.#lookout.watch(id, onChange)
  }

  async list (query: EngineQuery): Promise<EnginePage> {
    return await listPage(await this.#connected(), query)
  }

  async counts (): Promise<StoredCounts> {
    return await (await this.#connected()).counts()
  }

  async payload (id: string): Promise<StoredPayload | undefined> {
    return await (await this.#find(id))?.payload(id)
  }

  async retry (id: string): Promise<boolean> {
    return await (await this.#find(id))?.retry(id) ?? false
  }

  watchAll (onChange: () => void): () => void {
    return this.#lookout.watchAll(onChange)
  }

  async pause (): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    this.#runner!.paused = true
    await worker.pause(true)
    await this.#clients.endWaiting(worker)
  }

  async close (): Promise<void> {
    this.#lookout.close()
    this.#cancellations?.close()
    await this.#clients.close()
  }

  get #inTransactions (): Transactions {
    return (this.#transactions ??= new Transactions(this.queue))
  }

  #open (): Records & Overview {
    return (this.#records ??= this.#recordsOf(this.queue.getBackend()))
  }

  #recordsOf (backend: Bullmq.RedisQueueBackend): Records & Overview {
    return this.#options.postgres === undefined ? redisRecords(backend) : postgresRecords(backend)
  }

  /** The records, or undefined when the id is not that of a task. */
  async #find (id: string): Promise<(Records & Overview) | undefined> {
    return isId(id) ? await this.#connected() : undefined
  }

  async #connected (): Promise<Records & Overview> {
    await this.#clients.assertOpen(this.queue)
    return this.#open()
  }
}
