import type { EngineHost, RunOutcome, TaskErrorSnapshot } from '../../../types/index.js'
import { JobControl } from './job-control.js'
import { type TaskJob, idOf, toReturnvalue, toStored } from './jobs.js'
import type { BullmqModule } from './module.js'
import type { Records } from './records.js'
import { withStackOf } from './stack.js'

/** Tells BullMQ to retry a job. The error does not take the name of the handler's error: BullMQ gives some names a meaning. */
class RetryError extends Error {
  readonly delayMs: number

  constructor (error: TaskErrorSnapshot, delayMs: number) {
    super(messageOf(error))
    this.delayMs = delayMs
  }
}

/** The message of an error for BullMQ. A message like that of BullMQ's `RateLimitError` would have the job run again. */
function messageOf ({ name, message }: TaskErrorSnapshot): string {
  return message.startsWith('bullmq:') ? `${name}: ${message}` : message
}

/** The `backoffStrategy` for BullMQ: the delay of the outcome, in milliseconds. */
export function backoffOf (error: Error | undefined): number {
  return error instanceof RetryError ? error.delayMs : 0
}

/** Has the host run the jobs of BullMQ, and tells BullMQ the outcomes. */
export class Runner {
  readonly #bullmq: BullmqModule
  readonly #host: EngineHost
  readonly #records: Records
  readonly #running = new Map<string, JobControl>()
  /** Whether this process gives new jobs back for other processes. */
  paused = false

  constructor (bullmq: BullmqModule, host: EngineHost, records: Records) {
    this.#bullmq = bullmq
    this.#host = host
    this.#records = records
  }

  /** The ids of the tasks that run in this process. */
  get running (): string[] {
    return [...this.#running.keys()]
  }

  /** Aborts a task that was cancelled in any process, if the task runs in this one. */
  cancel (id: string, reason: unknown): void {
    this.#running.get(id)?.cancel(reason)
  }

  readonly run = async (job: TaskJob, token?: string): Promise<unknown> => {
    if (this.paused) return await this.#giveBack(job, token)
    const id = idOf(job)
    const control = new JobControl(job)
    this.#running.set(id, control)
    // BullMQ itself would keep the stacks of all attempts, and send them with each failure.
    job.opts.stackTraceLimit = 1
    try {
      const outcome = await this.#host.run(toStored(job), control)
      if (control.sent !== undefined) await control.sent
      if (outcome.state === 'completed') return toReturnvalue(outcome.result)
      return await this.#conclude(job, token, outcome, control.thrown)
    } finally {
      // The job may have counted as lost, and may run a second time by now.
      if (this.#running.get(id) === control) this.#running.delete(id)
    }
  }

  async #conclude (job: TaskJob, token: string | undefined, outcome: Exclude<RunOutcome, { state: 'completed' }>, thrown: unknown): Promise<unknown> {
    const { UnrecoverableError } = this.#bullmq
    switch (outcome.state) {
      case 'delayed':
        if (job.attemptsMade === 0) await this.#records.note(idOf(job), 'startedAt', job.processedOn!).catch(() => {})
        throw withStackOf(thrown, outcome.error, new RetryError(outcome.error, outcome.delay))
      case 'interrupted':
        return await this.#giveBack(job, token, outcome.delay)
      case 'cancelled':
        // A task that was cancelled in this process has no mark yet.
        await this.#records.cancel(idOf(job), { at: Date.now() }).catch(() => {})
        throw new UnrecoverableError(messageOf(outcome.error))
      case 'failed':
        // If the note fails, the outcome must still be final. BullMQ would retry the job for any other error.
        await this.#records.note(idOf(job), 'error', outcome.error).catch(() => {})
        throw withStackOf(thrown, outcome.error, new UnrecoverableError(messageOf(outcome.error)))
    }
  }

  /** Gives the job back, so that any worker runs it again. This attempt does not count. */
  async #giveBack (job: TaskJob, token: string | undefined, delayMs?: number): Promise<never> {
    if (delayMs !== undefined) {
      await job.moveToDelayed(Date.now() + delayMs, token)
      throw new this.#bullmq.DelayedError()
    }
    await job.moveToWait(token)
    throw new this.#bullmq.WaitingError()
  }
}
