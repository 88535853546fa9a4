import type * as Bullmq from 'bullmq'
import { type JobData, toPayload } from './jobs.js'
import type { Overview } from './overview.js'
import { postgresOverview } from './postgres-overview.js'
import { COLUMNS, MARK, type Row, toRecord } from './postgres-rows.js'
import { JOBS_CHANNEL } from './postgres-bell.js'
import { BELL, CANCELLED, type CancelAnswer, type Cancellation, type Records } from './records.js'

const READ = `
SELECT ${COLUMNS}, progress, return_value
  FROM job LEFT JOIN job_dependency AS mark ON ${MARK}
 WHERE queue = $1 AND id = $2`

const PAYLOAD = 'SELECT data, opts FROM job WHERE queue = $1 AND id = $2'

const LOOK = `
SELECT id, concat_ws(' ', state, attempts_made, attempts_started, mark.value, md5(progress::text)) AS version, mark.value AS cancelled
  FROM job LEFT JOIN job_dependency AS mark ON ${MARK}
 WHERE queue = $1 AND id = ANY($2)`

/**
 * One statement marks the job. A worker that completes or takes the job comes before the statement, or waits for it. A job that no
 * worker has ends at once. The bell is heard on the channel on which BullMQ tells workers of new jobs.
 */
const CANCEL = `
WITH found AS MATERIALIZED (
  SELECT id, state, attempts_started, dedup_id FROM job WHERE queue = $1 AND id = $2 AND state NOT IN ('completed', 'failed') FOR UPDATE
), mark AS (
  INSERT INTO job_dependency (parent_queue, parent_id, child_queue, child_id, child_key, status, value)
  SELECT $1, id, '', '', 'cancelled', 'failed', $3::jsonb || jsonb_build_object('during', attempts_started) FROM found
  ON CONFLICT DO NOTHING RETURNING parent_id
), freed AS (
  DELETE FROM dedup USING found WHERE dedup.queue = $1 AND dedup.dedup_id = found.dedup_id AND dedup.job_id = found.id
), marked AS (
  UPDATE job SET deferred_failure = $4 FROM found WHERE job.queue = $1 AND job.id = found.id AND found.state = 'active'
  RETURNING pg_notify('${JOBS_CHANNEL}', $1 || '${BELL}'), publish_event($1, 'cancel', jsonb_build_object('jobId', job.id))
), ended AS (
  UPDATE job SET state = 'failed', failed_reason = $4, finished_at_ms = ($3::jsonb->>'at')::bigint, process_at_ms = NULL
    FROM found WHERE job.queue = $1 AND job.id = found.id AND found.state <> 'active'
  RETURNING publish_event($1, 'failed', jsonb_build_object('jobId', job.id, 'failedReason', $4::text, 'prev', found.state))
)
SELECT CASE WHEN NOT EXISTS (SELECT FROM mark) THEN 'again' WHEN EXISTS (SELECT FROM ended) THEN 'ended' ELSE 'marked' END AS cancelled
  FROM found`

const NOTE = 'UPDATE job SET data = data || jsonb_build_object($3::text, $4::jsonb) WHERE queue = $1 AND id = $2'

/** The private members of a backend that are used here. `query` waits until the backend is open. */
export interface Queries {
  queueName: string
  query: (text: string, values: unknown[]) => Promise<{ rows: any[] }>
}

/** The jobs of a queue in PostgreSQL. */
export function postgresRecords (backend: Bullmq.IQueueBackend): Records & Overview {
  const queries = backend as unknown as Queries

  async function query<Found> (text: string, ...values: unknown[]): Promise<Found[]> {
    return (await queries.query(text, [queries.queueName, ...values])).rows
  }

  return {
    ...postgresOverview(query),
    async read (id) {
      const [row] = await query<Row>(READ, id)
      return row && toRecord(row)
    },
    async payload (id) {
      const [row] = await query<{ data: JobData, opts: { reqId?: string } }>(PAYLOAD, id)
      return row && toPayload(row.data, row.opts)
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
