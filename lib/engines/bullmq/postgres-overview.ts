import type { EngineQuery, StoredCounts } from '../../../types/index.js'
import { parseOrText } from './json-or-text.js'
import { MAX_VALUE_BYTES, type Overview, cursorParts } from './overview.js'
import { JobCounts } from './postgres-counts.js'
import { COLUMNS, MARK, type Row, toRecord } from './postgres-rows.js'

/** How the jobs of a state are found, by an index. */
interface Order {
  /** The state in BullMQ. */
  readonly state: keyof StoredCounts
  /** What the jobs are ordered by. Jobs of the same rank are ordered by `seq`. */
  readonly rank: string
  readonly isDescending?: boolean
  /** Whether the jobs must have a mark, or must have none. */
  readonly isMarked?: boolean
}

const ORDERS: Record<EngineQuery['state'], Order> = {
  waiting: { state: 'waiting', rank: 'priority', isMarked: false },
  active: { state: 'active', rank: '0' },
  delayed: { state: 'delayed', rank: 'process_at_ms', isMarked: false },
  completed: { state: 'completed', rank: 'finished_at_ms', isDescending: true },
  failed: { state: 'failed', rank: 'finished_at_ms', isDescending: true, isMarked: false },
  cancelled: { state: 'failed', rank: 'finished_at_ms', isDescending: true, isMarked: true }
}

/** $2: the name, or null. $3 and $4: rank and `seq` of the last job of the page before, or null. $5: how many jobs. */
function scanOf ({ state, rank, isDescending = false, isMarked }: Order): string {
  const [compare, direction] = isDescending ? ['<', 'DESC'] : ['>', 'ASC']
  const fits = isMarked === undefined ? 'true' : `(mark.value IS ${isMarked ? 'NOT ' : ''}NULL)`
  return `
SELECT id, ${rank} AS rank, seq, ($2::text IS NULL OR name = $2) AND ${fits} AS fits
  FROM job LEFT JOIN job_dependency AS mark ON ${MARK}
 WHERE queue = $1 AND state = '${state}' AND ($3::bigint IS NULL OR (${rank}, seq) ${compare} ($3, $4::bigint))
 ORDER BY rank ${direction}, seq ${direction} LIMIT $5`
}

/** A column of JSON unless it is large. The first condition keeps most large values from being read: they are stored apart. */
function shortOf (column: string): string {
  const isShort = `pg_column_size(${column}) <= ${MAX_VALUE_BYTES} AND octet_length(${column}::text) <= ${MAX_VALUE_BYTES}`
  return `CASE WHEN ${isShort} THEN ${column} END AS ${column}`
}

const READ_MANY = `
SELECT ${COLUMNS}, opts->>'reqId' AS req_id, dedup_id, process_at_ms, ${shortOf('progress')}, ${shortOf('return_value')}
  FROM job LEFT JOIN job_dependency AS mark ON ${MARK}
 WHERE queue = $1 AND id = ANY($2) ORDER BY array_position($2, id)`

/**
 * One statement: of two retries the second one waits for the first and finds a job that waits. BullMQ takes keys under the lock of
 * the key, by a function that sees what came before the lock. The delay says when the job is due, and the job is due now.
 */
const RETRY = `
WITH ended AS MATERIALIZED (
  SELECT id, dedup_id FROM job WHERE queue = $1 AND id = $2 AND state = 'failed' FOR UPDATE
), locked AS MATERIALIZED (
  SELECT id, dedup_id, pg_advisory_xact_lock(hashtext('bullmq:dedup:' || $1 || ':' || dedup_id)) FROM ended
), keyed AS MATERIALIZED (
  SELECT id, deduplicate_job($1, jsonb_build_object('id', dedup_id), id, $3::bigint, '', '{}', '{}') AS holder FROM locked
), ready AS (
  UPDATE job
     SET state = 'waiting', seq = nextval('job_seq'), delay_ms = 0, process_at_ms = NULL, processed_at_ms = NULL, finished_at_ms = NULL,
         progress = NULL, return_value = NULL, failed_reason = NULL, stacktrace = NULL, deferred_failure = NULL, processed_by = NULL,
         attempts_made = 0, attempts_started = 0, stalled_count = 0, stalled_marked = false, data = data - 'error' - 'startedAt',
         opts = opts || jsonb_build_object('delay', greatest(0, $3::bigint - added_at_ms))
    FROM keyed WHERE job.queue = $1 AND job.id = keyed.id AND keyed.holder IS NULL
  RETURNING job.id
), unmarked AS (
  DELETE FROM job_dependency AS mark USING ready
   WHERE mark.parent_queue = $1 AND mark.parent_id = ready.id AND mark.child_key = 'cancelled'
)
SELECT pg_notify('bullmq_jobs', $1), publish_event($1, 'waiting', jsonb_build_object('jobId', id, 'prev', 'failed')) FROM ready`

interface Scanned {
  id: string
  rank: string
  seq: string
  fits: boolean
}

interface ListedRow extends Row {
  req_id: string | null
  dedup_id: string | null
  process_at_ms: string
}

/** The jobs of a queue in PostgreSQL, seen together. `query` puts the name of the queue in front of the values. */
export function postgresOverview (query: <Found>(text: string, ...values: unknown[]) => Promise<Found[]>): Overview {
  const counts = new JobCounts(query)
  return {
    async list ({ state, name, limit, scan = 1000, cursor }) {
      const [rank, seq] = cursorParts(cursor, /^(\d{1,18}):(-?\d{1,18})$/) ?? []
      // With a filter, more jobs than fit may have to be looked at. The last one only tells that there are more.
      const order = ORDERS[state]
      const isFiltered = name !== undefined || order.isMarked !== undefined
      const size = isFiltered ? scan : Math.min(scan, limit)
      const found = await query<Scanned>(scanOf(order), name ?? null, rank ?? null, seq ?? null, size + 1)
      const ids: string[] = []
      let scanned = 0
      while (scanned < Math.min(size, found.length) && ids.length < limit) {
        const { id, fits } = found[scanned++]!
        if (fits) ids.push(id)
      }
      const last = found[scanned - 1]
      const records = (await query<ListedRow>(READ_MANY, ids)).map((row) => ({
        ...toRecord(row),
        reqId: row.req_id ?? undefined,
        key: parseOrText(row.dedup_id)?.[1],
        dueAt: row.state === 'delayed' ? Number(row.process_at_ms) : undefined
      }))
      return { records, cursor: last !== undefined && scanned < found.length ? `${last.rank}:${last.seq}` : undefined, scanned }
    },
    async counts () {
      return await counts.read()
    },
    async retry (id) {
      return (await query(RETRY, id, Date.now())).length === 1
    }
  }
}
