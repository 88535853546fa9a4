import type * as Bullmq from 'bullmq'
import type { TaskErrorSnapshot } from '../../../types/index.js'
import type { Cancellation, JobRecord } from './records.js'

/** The mark of a cancellation is a row that is removed with its job. BullMQ takes the row for a child that has failed. */
export const MARK = "mark.parent_queue = job.queue AND mark.parent_id = job.id AND mark.child_key = 'cancelled'"

/** The columns that a record is made of, except `progress` and `return_value`. */
export const COLUMNS = `id, name, state, attempts_made, attempts_started, added_at_ms, processed_at_ms, finished_at_ms, failed_reason,
       CASE WHEN state = 'failed' THEN data->'error' END AS error, data->'startedAt' AS started_at, mark.value AS cancelled`

export interface Row {
  id: string
  name: string
  state: Bullmq.JobState
  attempts_made: number
  attempts_started: number
  added_at_ms: string
  processed_at_ms: string | null
  finished_at_ms: string | null
  progress: unknown
  return_value: unknown
  failed_reason: string | null
  error: TaskErrorSnapshot | null
  started_at: number | null
  cancelled: Cancellation | null
}

export function toRecord (row: Row): JobRecord {
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    attemptsMade: row.attempts_made,
    attemptsStarted: row.attempts_started,
    timestamp: Number(row.added_at_ms),
    processedOn: numberOf(row.processed_at_ms),
    finishedOn: numberOf(row.finished_at_ms),
    progress: row.progress,
    returnvalue: row.return_value,
    failedReason: row.failed_reason ?? undefined,
    error: row.error ?? undefined,
    startedAt: row.started_at ?? undefined,
    cancelled: row.cancelled ?? undefined
  }
}

function numberOf (text: string | null): number | undefined {
  return text === null ? undefined : Number(text)
}
