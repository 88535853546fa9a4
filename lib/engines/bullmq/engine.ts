import type * as Bullmq from 'bullmq'
import type { Engine, EngineHost, StoredTask, TaskSnapshot } from '../../../types/index.js'
import { isFinal } from '../../base/snapshot.js'
import { Watchers } from '../../base/watchers.js'
import { Clients } from './clients.js'
import { type JobData, type TaskJob, hasEnded, idOf, isEnd, isId, toJob, toSnapshot } from './jobs.js'
import type { BullmqModule } from './module.js'
import { type BullmqEngineOptions, checkEngineOptions } from './options.js'
import { toPlainReason } from './reason.js'
import { Runner, backoffOf } from './runner.js'
import { Trouble } from './trouble.js'

/** How often tasks that are watched or run are looked at although no event came: one may get lost. */
const LOOK_MS = 1000

/** How long a worker waits that could not ask for a task. BullMQ's own 15 seconds are as long as tasks may be lost. */
const RUN_RETRY_MS = 1000

/** A task is never given up because its workers died. The largest integer of PostgreSQL, which refuses any above. */
const MAX_STALLED_COUNT = 2 ** 31 - 1

const CHANGES = ['waiting', 'active', 'delayed', 'progress', 'completed', 'failed', 'stalled', 'removed'] as const

/** Keeps tasks in Redis or PostgreSQL, through BullMQ. */
export class BullmqEngine implements Engine {
  readonly #bullmq: BullmqModule
  readonly #options: BullmqEngineOptions
  readonly #clients: Clients
  readonly #watchers = new Watchers()
  readonly #trouble = new Trouble()
  #runner: Runner | undefined
  #worker: Bullmq.Worker | undefined
  #queue: Bullmq.Queue<JobData, unknown, string> | undefined
  #events: Bullmq.QueueEvents | undefined
  #looking: NodeJS.Timeout | undefined

  constructor (bullmq: BullmqModule, options: BullmqEngineOptions) {
    checkEngineOptions(options)
    this.#bullmq = bullmq
    this.#options = options
    this.#clients = new Clients(bullmq, options, this.#trouble.report)
  }

  /** BullMQ's queue, for a dashboard. Opened on first use. */
  get queue (): Bullmq.Queue<JobData, unknown, string> {
    return this.#open()
  }

  start (host: EngineHost): void {
    this.#trouble.log = host.log
    // So that the first request need not wait for a connection.
    this.#open()
    if (!host.worker) return
    const runner = new Runner(this.#bullmq, host)
    const { concurrency = host.concurrency ?? 10, lockDuration = 10_000, stalledInterval = 5_000 } = this.#options
    this.#runner = runner
    this.#worker = this.#clients.worker(runner.run as Bullmq.Processor, {
      concurrency,
      lockDuration,
      stalledInterval,
      runRetryDelay: RUN_RETRY_MS,
      maxStalledCount: MAX_STALLED_COUNT,
      settings: { backoffStrategy: (attemptsMade, type, error) => backoffOf(error) }
    })
    this.#follow()
    this.#keepLooking()
  }

  async add (tasks: StoredTask[]): Promise<string[]> {
    const { removeAfter = 86_400_000 } = this.#options
    const { queue } = this
    if (!this.#clients.isOpen(queue)) await this.#clients.assertOpen(queue)
    if (tasks.length > 1) return (await queue.addBulk(tasks.map((task) => toJob(task, removeAfter)))).map(idOf)
    const { name, data, opts } = toJob(tasks[0]!, removeAfter)
    return [idOf(await queue.add(name, data, opts))]
  }

  async get (id: string): Promise<TaskSnapshot | undefined> {
    const [job, state] = await this.#find(id)
    return job && toSnapshot(job, state)
  }

  async cancel (id: string, reason?: unknown): Promise<boolean> {
    const [job, state] = await this.#find(id)
    if (job === undefined || isFinal(toSnapshot(job, state).state)) return false
    const plain = toPlainReason(reason)
    // The mark is for a worker that takes the job later, the event for the one that has it now.
    await job.updateData({ ...job.data, cancelled: { reason: plain, at: Date.now() } })
    // A worker may take long to come, and a task that is added meanwhile would be merged into one that never runs.
    if (job.data.key !== undefined) await job.removeDeduplicationKey()
    const event = { event: 'cancel', jobId: id, ...(plain !== undefined && { reason: JSON.stringify(plain) }) }
    await this.queue.getBackend().publishEvent(event, 10_000)
    // So that a worker takes it, and ends it, soon.
    if (state === 'delayed') await job.promote().catch(() => {})
    return true
  }

  watch (id: string, onChange: () => void): () => void {
    const events = this.#follow()
    const end = this.#watchers.add(id, onChange)
    // What happens until the stream of events is open would go unseen.
    events.waitUntilReady().then(onChange, () => {})
    this.#keepLooking()
    return end
  }

  async pause (): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    this.#runner!.paused = true
    await worker.pause(true)
    await this.#clients.endWaiting(worker)
  }

  async close (): Promise<void> {
    clearInterval(this.#looking)
    await this.#clients.close()
  }

  #open (): Bullmq.Queue<JobData, unknown, string> {
    return (this.#queue ??= this.#clients.queue())
  }

  /** The job, and its state at a moment before. */
  async #find (id: string): Promise<[TaskJob | undefined, Bullmq.JobState | 'unknown']> {
    if (!isId(id)) return [undefined, 'unknown']
    await this.#clients.assertOpen(this.queue)
    const state = await this.queue.getJobState(id)
    const job = state === 'unknown' ? undefined : await this.queue.getJob(id)
    if (job === undefined || hasEnded(job) === isEnd(state)) return [job, state]
    // It has ended, or been run again by hand, in between.
    const now = await this.queue.getJobState(id)
    return [now === 'unknown' ? undefined : job, now]
  }

  #keepLooking (): void {
    this.#looking ??= setInterval(() => {
      this.#watchers.notifyAll()
      this.#runner?.lookForMarks(this.queue).catch(() => {})
    }, LOOK_MS)
  }

  /** Listens to what happens in all processes. */
  #follow (): Bullmq.QueueEvents {
    if (this.#events !== undefined) return this.#events
    const events = this.#clients.events()
    for (const change of CHANGES) events.on(change, ({ jobId }: { jobId: string }) => { this.#watchers.notify(jobId) })
    const onCancel = ({ jobId, reason }: { jobId: string, reason?: string }): void => {
      this.#runner?.cancel(jobId, reason === undefined ? undefined : JSON.parse(reason))
      this.#watchers.notify(jobId)
    }
    events.on('cancel' as 'removed', onCancel as () => void)
    this.#events = events
    return events
  }
}
