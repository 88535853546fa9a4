import type * as Bullmq from 'bullmq'
import type { TaskErrorSnapshot } from '../../../types/index.js'
import { CANCELLED, type Cancellation, type CancelAnswer, type Records } from './records.js'

/** The mark of a cancellation is a row that is removed with its job. BullMQ takes the row for a child that has failed. */
const MARK = "mark.parent_queue = job.queue AND mark.parent_id = job.id AND mark.child_key = 'cancelled'"

const READ = `
SELECT id, name, state, attempts_made, attempts_started, added_at_ms, processed_at_ms, finished_at_ms, progress, return_value,
       failed_reason, CASE WHEN state = 'failed' THEN data->'error' END AS error, data->'startedAt' AS started_at,
       mark.value AS cancelled
  FROM job LEFT JOIN job_dependency AS mark ON ${MARK}
 WHERE queue = $1 AND id = $2`

const LOOK = `
SELECT id, concat_ws(' ', state, attempts_made, attempts_started, mark.value, md5(progress::text)) AS version, mark.value AS cancelled
  FROM job LEFT JOIN job_dependency AS mark ON ${MARK}
 WHERE queue = $1 AND id = ANY($2)`

/** One statement marks the job. A worker that completes the job comes before the statement, or waits for it. */
const CANCEL = `
WITH marked AS (
  UPDATE job SET deferred_failure = $4 WHERE queue = $1 AND id = $2 AND state NOT IN ('completed', 'failed')
  RETURNING state, attempts_started, dedup_id
), mark AS (
  INSERT INTO job_dependency (parent_queue, parent_id, child_queue, child_id, child_key, status, value)
  SELECT $1, $2, '', '', 'cancelled', 'failed', $3::jsonb || jsonb_build_object('during', attempts_started) FROM marked
  ON CONFLICT DO NOTHING RETURNING parent_id
), freed AS (
  DELETE FROM dedup USING marked WHERE dedup.queue = $1 AND dedup.dedup_id = marked.dedup_id AND dedup.job_id = $2
)
SELECT CASE WHEN NOT EXISTS (SELECT FROM mark) THEN 'again' WHEN state = 'delayed' THEN 'delayed' ELSE 'other' END AS cancelled
  FROM marked`

const NOTE = 'UPDATE job SET data = data || jsonb_build_object($3::text, $4::jsonb) WHERE queue = $1 AND id = $2'

/** The private members of a backend that are used here. `query` waits until the backend is open. */
export interface Queries {
  queueName: string
  query: (text: string, values: unknown[]) => Promise<{ rows: any[] }>
}

interface Row {
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

/** The jobs of a queue in PostgreSQL. */
export function postgresRecords (backend: Bullmq.IQueueBackend): Records {
  const queries = backend as unknown as Queries

  async function query<Found> (text: string, ...values: unknown[]): Promise<Found[]> {
    return (await queries.query(text, [queries.queueName, ...values])).rows
  }

  return {
    async read (id) {
      const [row] = await query<Row>(READ, id)
      return row && {
        id,
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
    },
    async look (ids) {
      const rows = await query<{ id: string, version: string, cancelled: Cancellation | null }>(LOOK, ids)
      const found = new Map(rows.map((row) => [row.id, row]))
      return ids.map((id) => ({ id, version: found.get(id)?.version ?? '', cancelled: found.get(id)?.cancelled ?? undefined }))
    },
    async cancel (id, mark) {
      const [row] = await query<{ cancelled: CancelAnswer }>(CANCEL, id, JSON.stringify(mark), CANCELLED)
      return row?.cancelled ?? 'none'
    },
    async note (id, name, value) {
      await query(NOTE, id, name, JSON.stringify(value))
    }
  }
}

function numberOf (text: string | null): number | undefined {
  return text === null ? undefined : Number(text)
}
