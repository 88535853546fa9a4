import type * as Bullmq from 'bullmq'
import type { StoredPayload, TaskErrorSnapshot } from '../../../types/index.js'

/** The mark of a cancelled job. */
export interface Cancellation {
  /** The reason, as plain JSON. */
  readonly reason?: unknown
  /** The time of the cancellation, in milliseconds since 1970. */
  readonly at: number
  /** How many times workers had taken the job before the cancellation. A worker that takes the job later does not run it. */
  readonly during: number
}

/** A job at one moment, without its payload. */
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
  /** The error of the last attempt. The `failedReason` of BullMQ has only its message. */
  readonly error: TaskErrorSnapshot | undefined
  /** When the first attempt of a retried job started. The `processedOn` of BullMQ is that of the last attempt. */
  readonly startedAt: number | undefined
  readonly cancelled: Cancellation | undefined
}

/** The part of a job that a regular look reads at little cost. */
export interface Look {
  readonly id: string
  /** A text that differs after each change of the job. */
  readonly version: string
  readonly cancelled: Cancellation | undefined
}

/** The answer to a cancellation. `none`: no unfinished job. `again`: cancelled before. `marked`: a worker has to end the job. */
export type CancelAnswer = 'none' | 'again' | 'marked' | 'ended'

/** How many jobs one command looks at. Redis runs no other command meanwhile. */
const LOOK_SIZE = 500

/** Looks at many jobs, some at a time. */
export async function lookAtEach (records: Records, ids: string[], tell: (look: Look) => void): Promise<void> {
  for (let at = 0; at < ids.length; at += LOOK_SIZE) {
    for (const look of await records.look(ids.slice(at, at + LOOK_SIZE))) tell(look)
  }
}

/** Reads and marks jobs. Only `payload` reads payloads. Each method is one step of the store. */
export interface Records {
  read (id: string): Promise<JobRecord | undefined>
  payload (id: string): Promise<StoredPayload | undefined>
  look (ids: string[]): Promise<Look[]>
  /**
   * Marks an unfinished job and frees its key. A marked job cannot complete. A job that no worker has ends at once. Of any other
   * job, the workers hear by their bell.
   */
  cancel (id: string, mark: Omit<Cancellation, 'during'>): Promise<CancelAnswer>
  /** Notes a fact in the data of a job, because BullMQ has no place for it. */
  note<Name extends keyof Notes> (id: string, name: Name, value: Notes[Name]): Promise<void>
}

export interface Notes {
  error: TaskErrorSnapshot
  startedAt: number
}

/** What is added to the name of a queue for the name of the bell that tells its workers of cancellations. */
export const BELL = '.cancelled'

/** The `failedReason` of a cancelled job. */
export const CANCELLED = 'cancelled'

/** The code of BullMQ for a job that cannot complete because a child has failed. To BullMQ, a mark is such a child. */
const HAS_FAILED_CHILD = -9

/** Changes a backend so that a marked job fails in place of completing. */
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
