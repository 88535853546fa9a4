import type { EngineHost, RunOutcome, TaskErrorSnapshot } from '../../../types/index.js'
import { type TaskJob, idOf, toReturnvalue, toStored } from './jobs.js'
import type { BullmqModule } from './module.js'
import type { Records } from './records.js'
import { withStackOf } from './stack.js'

/** A failed attempt that BullMQ shall have run again. It has no name of the handler's: BullMQ takes some for its own. */
class RetryError extends Error {
  readonly delayMs: number

  constructor (error: TaskErrorSnapshot, delayMs: number) {
    super(messageOf(error))
    this.delayMs = delayMs
  }
}

/** What BullMQ is told of an error. It takes the message of its own `RateLimitError` for a job that is to run again. */
function messageOf ({ name, message }: TaskErrorSnapshot): string {
  return message.startsWith('bullmq:') ? `${name}: ${message}` : message
}

/** BullMQ's `backoffStrategy`: waits as long as the outcome says. */
export function backoffOf (error: Error | undefined): number {
  return error instanceof RetryError ? error.delayMs : 0
}

/** Runs BullMQ's jobs by the host, and tells BullMQ what becomes of them. */
export class Runner {
  readonly #bullmq: BullmqModule
  readonly #host: EngineHost
  readonly #records: Records
  readonly #running = new Map<string, AbortController>()
  /** Jobs that come from now on are for other processes. */
  paused = false

  constructor (bullmq: BullmqModule, host: EngineHost, records: Records) {
    this.#bullmq = bullmq
    this.#host = host
    this.#records = records
  }

  /** The ids of the tasks that run here. */
  get running (): string[] {
    return [...this.#running.keys()]
  }

  /** Somebody, in some process, has cancelled a task. */
  cancel (id: string, reason: unknown): void {
    this.#running.get(id)?.abort(reason)
  }

  readonly run = async (job: TaskJob, token?: string): Promise<unknown> => {
    if (this.paused) return await this.#giveBack(job, token)
    const id = idOf(job)
    const controller = new AbortController()
    this.#running.set(id, controller)
    const reports = new Reports(job)
    // BullMQ would keep, and send with each failure, the stacks of all attempts.
    job.opts.stackTraceLimit = 1
    let thrown: unknown
    try {
      const outcome = await this.#host.run(toStored(job), {
        attempt: job.attemptsMade + 1,
        signal: controller.signal,
        progress: (value) => { reports.send(value) },
        failed: (error) => { thrown = error }
      })
      await reports.sent
      return await this.#conclude(job, token, outcome, thrown)
    } finally {
      // A job that was taken for lost may run once more by now.
      if (this.#running.get(id) === controller) this.#running.delete(id)
    }
  }

  async #conclude (job: TaskJob, token: string | undefined, outcome: RunOutcome, thrown: unknown): Promise<unknown> {
    const { UnrecoverableError } = this.#bullmq
    switch (outcome.state) {
      case 'completed':
        return toReturnvalue(outcome.result)
      case 'delayed':
        if (job.attemptsMade === 0) await this.#records.note(idOf(job), 'startedAt', job.processedOn!).catch(() => {})
        throw withStackOf(thrown, outcome.error, new RetryError(outcome.error, outcome.delay))
      case 'interrupted':
        return await this.#giveBack(job, token, outcome.delay)
      case 'cancelled':
        // Marked by now, unless it was cancelled in this process.
        await this.#records.cancel(idOf(job), { at: Date.now() }).catch(() => {})
        throw new UnrecoverableError(messageOf(outcome.error))
      case 'failed':
        // That this fails must not be taken for a failed attempt, which would be tried again.
        await this.#records.note(idOf(job), 'error', outcome.error).catch(() => {})
        throw withStackOf(thrown, outcome.error, new UnrecoverableError(messageOf(outcome.error)))
    }
  }

  /** Has the job run again, perhaps elsewhere, without counting this attempt. */
  async #giveBack (job: TaskJob, token: string | undefined, delayMs?: number): Promise<never> {
    if (delayMs !== undefined) {
      await job.moveToDelayed(Date.now() + delayMs, token)
      throw new this.#bullmq.DelayedError()
    }
    await job.moveToWait(token)
    throw new this.#bullmq.WaitingError()
  }
}

/** Sends one task's progress, one report at a time; of those that come meanwhile only the last. */
class Reports {
  readonly #job: TaskJob
  /** Settles once everything has been sent, or could not be. */
  sent: Promise<void> | undefined
  #next: { value: unknown } | undefined

  constructor (job: TaskJob) {
    this.#job = job
  }

  send (value: unknown): void {
    this.#next = { value }
    this.sent ??= this.#sendAll()
  }

  async #sendAll (): Promise<void> {
    while (this.#next !== undefined) {
      const report = this.#next
      this.#next = undefined
      // Progress is for who watches: the task does not fail because a report was lost.
      await this.#job.updateProgress(report).catch(() => {})
    }
    this.sent = undefined
  }
}
