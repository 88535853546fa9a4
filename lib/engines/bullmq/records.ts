import type * as Bullmq from 'bullmq'
import type { TaskErrorSnapshot } from '../../../types/index.js'

/** That somebody has cancelled a job. */
export interface Cancellation {
  /** Plain JSON. */
  readonly reason?: unknown
  /** When, in milliseconds. */
  readonly at: number
  /** How many times the job had been taken by then: a worker that takes it later does not run it. */
  readonly during: number
}

/** What is known of a job at one moment, except its payload. */
export interface JobRecord {
  readonly id: string
  readonly name: string
  readonly state: Bullmq.JobState
  readonly attemptsMade: number
  /** How many times a worker has taken the job. */
  readonly attemptsStarted: number
  readonly timestamp: number
  readonly processedOn: number | undefined
  readonly finishedOn: number | undefined
  readonly progress: unknown
  readonly returnvalue: unknown
  readonly failedReason: string | undefined
  /** Why the last attempt failed, with what BullMQ's `failedReason` has no place for. */
  readonly error: TaskErrorSnapshot | undefined
  /** When the first attempt started, of a job that has been tried again: BullMQ's `processedOn` is that of the last one. */
  readonly startedAt: number | undefined
  readonly cancelled: Cancellation | undefined
}

/** What a look at a job tells that must cost little. */
export interface Look {
  readonly id: string
  /** Another one after each change. */
  readonly version: string
  readonly cancelled: Cancellation | undefined
}

/** What a cancellation finds: a job that had ended or never was, one that was cancelled before, or the state it was in. */
export type Cancelled = 'none' | 'again' | 'delayed' | 'other'

/** Reads and marks jobs, each time in one step of the store, and without their payloads. */
export interface Records {
  read (id: string): Promise<JobRecord | undefined>
  look (ids: string[]): Promise<Look[]>
  /** Marks a job that has not ended, and frees its key. From then on it cannot complete. */
  cancel (id: string, mark: Omit<Cancellation, 'during'>): Promise<Cancelled>
  /** Keeps a fact of a job that BullMQ has no place for. */
  note<Name extends keyof Notes> (id: string, name: Name, value: Notes[Name]): Promise<void>
}

export interface Notes {
  error: TaskErrorSnapshot
  startedAt: number
}

/** What BullMQ gives as the reason of a failure. */
export const CANCELLED = 'cancelled'

/** BullMQ's code for a job that cannot complete because a child of it has failed: what a mark looks like to BullMQ. */
const HAS_FAILED_CHILD = -9

/** Has a job fail that was marked before it could complete. */
export function failMarked (backend: Bullmq.IQueueBackend): void {
  const complete = backend.moveToCompleted.bind(backend)
  backend.moveToCompleted = async (job, value, removeOnComplete, token, fetchNext) => {
    try {
      return await complete(job, value, removeOnComplete, token, fetchNext)
    } catch (error) {
      if ((error as { code?: unknown }).code !== HAS_FAILED_CHILD) throw error
      return await backend.moveToFailed(job, CANCELLED, job.opts.removeOnFail!, token, fetchNext)
    }
  }
}
