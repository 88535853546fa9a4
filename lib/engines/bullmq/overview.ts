import type { EnginePage, EngineQuery, StoredCounts } from '../../../types/index.js'
import { errors } from '../../errors.js'
import { isId, toSnapshot } from './jobs.js'
import type { JobRecord } from './records.js'

/** Bytes of a result, or of progress, above which a page goes without it. A page is to be small whatever tasks return. */
export const MAX_VALUE_BYTES = 4096

/** A job in a page. */
export interface ListedRecord extends JobRecord {
  readonly reqId: string | undefined
  readonly key: string | undefined
  /** When a delayed job is due, in milliseconds since 1970. */
  readonly dueAt: number | undefined
}

/** The jobs that one step of the store has found. */
export interface FoundJobs {
  readonly records: ListedRecord[]
  readonly cursor: string | undefined
  readonly scanned: number
}

/** Looks at many jobs, and has one run again. */
export interface Overview {
  list (query: EngineQuery): Promise<FoundJobs>
  counts (): Promise<StoredCounts>
  /** Has a failed or cancelled job wait again as if it were new, and takes its key. Resolves to false for any other job. */
  retry (id: string): Promise<boolean>
}

/** A page of tasks. What is no task, or has changed its state meanwhile, is left out. */
export async function listPage (overview: Overview, query: EngineQuery): Promise<EnginePage> {
  const { records, cursor, scanned } = await overview.list(query)
  const tasks = records.filter(({ id }) => isId(id)).map((record) => {
    const { reqId, key, dueAt } = record
    return {
      ...toSnapshot(record),
      ...(reqId !== undefined && { reqId }),
      ...(key !== undefined && { key }),
      ...(dueAt !== undefined && { nextRunAt: new Date(dueAt).toISOString() })
    }
  })
  return { tasks: tasks.filter(({ state }) => state === query.state), scanned, ...(cursor !== undefined && { cursor }) }
}

/**
 * The parts of a cursor, as the pattern finds them. Undefined where there is no cursor.
 * @throws FST_BGT_INVALID_OPTIONS when the cursor does not match
 */
export function cursorParts (cursor: string | undefined, pattern: RegExp): string[] | undefined {
  if (cursor === undefined) return undefined
  const parts = pattern.exec(cursor)
  if (parts === null) throw new errors.FST_BGT_INVALID_OPTIONS('cursor must be one of this engine')
  return parts.slice(1)
}
