import { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'
import type { Engine, EngineHost, StoredTask, TaskSnapshot } from '../../index.js'
import type { Broker } from './broker.js'
import { revokeMessage, taskMessage } from './messages.js'
import { rabbitmqBroker } from './rabbitmq-broker.js'
import { openRedis, redisBroker } from './redis-broker.js'
import { type CeleryMeta, type TaskRecord, snapshotOf } from './snapshot.js'

export interface CeleryEngineOptions {
  /** The `broker_url` of the workers: `redis://` or `amqp://`. */
  broker: string
  /** The `result_backend` of the workers: `redis://`. */
  results: string
  /**
   * The queue that the workers take tasks from.
   * @default 'celery'
   */
  queue?: string
  /**
   * The `control_exchange` of the workers.
   * @default 'celery'
   */
  controlExchange?: string
  /**
   * How long a task is known after it was due, in milliseconds: not longer than `result_expires` of the workers.
   * @default 86_400_000
   */
  resultExpires?: number
  /**
   * Whether cancelling a task that runs ends the process that runs it.
   * @default false
   */
  terminate?: boolean
}

const recordKey = (id: string): string => `background-tasks:${id}`
/** The key, and the channel too, of what Celery's Redis backend keeps of a task. */
const metaKey = (id: string): string => `celery-task-meta-${id}`

/** Has Celery's workers run the registered tasks of an app with `worker: false`. */
export class CeleryEngine implements Engine {
  readonly #broker: Broker
  readonly #results: Redis
  readonly #subscriber: Redis
  readonly #watchers = new EventEmitter()
  readonly #resultExpires: number
  readonly #terminate: boolean

  constructor ({
    broker, results, queue = 'celery', controlExchange = 'celery', resultExpires = 86_400_000, terminate = false
  }: CeleryEngineOptions) {
    const openBroker = broker.startsWith('redis') ? redisBroker : rabbitmqBroker
    this.#broker = openBroker(broker, queue, `${controlExchange}.pidbox`)
    this.#results = openRedis(results)
    this.#resultExpires = resultExpires
    this.#terminate = terminate
    // It connects for the first watch, and waits for Redis while that is away.
    this.#subscriber = this.#results.duplicate({ lazyConnect: true, autoResubscribe: false, maxRetriesPerRequest: null })
    this.#subscriber.on('error', () => {})
    this.#subscriber.on('message', (channel: string) => { this.#watchers.emit(channel) })
    this.#subscriber.on('ready', () => { this.#follow(this.#watchers.eventNames() as string[]) })
  }

  start ({ worker }: EngineHost): void {
    if (worker) throw new Error('tasks of Celery run in its workers: give the plugin the option worker: false')
  }

  async add (tasks: StoredTask[]): Promise<string[]> {
    const messages = tasks.map(taskMessage)
    // Before the messages: a worker may be faster than this process.
    const answers = await this.#results.multi(tasks.map((task) => this.#record(task))).exec()
    const added = messages.filter((_, index) => answers?.[index]?.[1] === 'OK')
    try {
      if (added.length > 0) await this.#broker.send(added)
    } catch (error) {
      await this.#results.del(added.map(({ id }) => recordKey(id))).catch(() => {})
      throw error
    }
    return tasks.map(({ id }) => id)
  }

  async get (id: string): Promise<TaskSnapshot | undefined> {
    const [record, meta] = await this.#results.mget(recordKey(id), metaKey(id))
    if (record == null) return undefined
    return snapshotOf(id, JSON.parse(record) as TaskRecord, meta == null ? undefined : JSON.parse(meta) as CeleryMeta)
  }

  /** Celery keeps no reason. */
  async cancel (id: string): Promise<boolean> {
    const task = await this.get(id)
    if (task === undefined || task.finishedAt !== undefined || (task.state === 'active' && !this.#terminate)) return false
    return await this.#broker.broadcast(revokeMessage(id, this.#terminate))
  }

  watch (id: string, onChange: () => void): () => void {
    const channel = metaKey(id)
    this.#watchers.on(channel, onChange)
    this.#follow([channel])
    return () => {
      this.#watchers.off(channel, onChange)
      if (this.#watchers.listenerCount(channel) === 0) this.#subscriber.unsubscribe(channel).catch(() => {})
    }
  }

  pause (): void {}

  async close (): Promise<void> {
    for (const redis of [this.#results, this.#subscriber]) redis.disconnect()
    await this.#broker.close()
  }

  /**
   * The command that keeps what Celery does not know of a task that waits, unless the id is known. The record must be gone before
   * the result that Celery keeps, or an ended task would wait again.
   */
  #record ({ id, name, createdAt, delay = 0 }: StoredTask): unknown[] {
    const record: TaskRecord = { name, createdAt, dueAt: Date.now() + delay }
    return ['set', recordKey(id), JSON.stringify(record), 'PX', delay + this.#resultExpires, 'NX']
  }

  /** Subscribes to the channels, and then tells their watchers: a change may have come before. */
  #follow (channels: string[]): void {
    if (channels.length === 0) return
    this.#subscriber.subscribe(...channels).then(() => { for (const channel of channels) this.#watchers.emit(channel) }, () => {})
  }
}
