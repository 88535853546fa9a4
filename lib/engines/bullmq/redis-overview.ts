import type { EngineQuery } from '../../../types/index.js'
import { parseOrText } from './json-or-text.js'
import { type Overview, cursorParts } from './overview.js'
import type { OVERVIEW_COMMANDS } from './redis-overview-scripts.js'
import { type Fields, toRecord } from './redis-rows.js'

/**
 * Where the jobs of a state are: the keys, the kinds of those that count, and whether the jobs must have a mark. `l` is a list, `z`
 * a set, and `r` a set that is read from its end.
 */
const SOURCES: Record<EngineQuery['state'], [keys: [string, string, string], kinds: string, mark: '0' | '1' | '']> = {
  // `paused` is a list that BullMQ 5 may have left.
  waiting: [['wait', 'paused', 'prioritized'], 'llz', '0'],
  active: [['active', 'active', 'active'], 'l', ''],
  delayed: [['delayed', 'delayed', 'delayed'], 'z', '0'],
  completed: [['completed', 'completed', 'completed'], 'r', ''],
  failed: [['failed', 'failed', 'failed'], 'r', '0'],
  cancelled: [['failed', 'failed', 'failed'], 'r', '1']
}

/** A job as `LIST` gives it. */
type Row = [id: string, score: string, more: [deid: string | null, opts: string], fields: Fields]

/** The score of a job in a cursor: its place in a list, or its score in a set, as Redis writes it. */
const SCORES: Record<string, string> = { l: '\\d{1,15}', z: '\\d{1,17}(?:\\.\\d{1,17})?(?:e\\+\\d\\d)?' }

/** Finds the parts of a cursor: the number of the list or set, counted from 1, the score and the id of its last job. */
function cursorPattern (kinds: string): RegExp {
  const starts = [...kinds].map((kind, index) => `${index + 1}:${SCORES[kind] ?? SCORES.z!}:`)
  return new RegExp(`^(?=${starts.join('|')})(\\d):([^:]+):(.+)$`)
}

/** BullMQ keeps the time of a delayed job in the high bits of its score. */
const SCORE_PER_MS = 0x1000

/** The jobs of a queue in Redis, seen together. `run` runs one of `OVERVIEW_COMMANDS`. */
export function redisOverview (
  keys: Readonly<Record<string, string>>, run: <Answer>(command: keyof typeof OVERVIEW_COMMANDS, args: unknown[]) => Promise<Answer>
): Overview {
  const base = keys['']!
  const of = (...names: string[]): string[] => names.map((name) => keys[name]!)
  return {
    async list ({ state, name = '', limit, scan = 1000, cursor }) {
      const [sources, kinds, mark] = SOURCES[state]
      const [source = '1', score = '', last = ''] = cursorParts(cursor, cursorPattern(kinds)) ?? []
      const [scanned, rows, next] = await run<[number, Row[], string?]>('backgroundTaskList',
        [...of(...sources), base, kinds, name, mark, limit, scan, source, score, last])
      const records = rows.map(([id, score, [deid, opts], fields]) => ({
        ...toRecord(id, state === 'cancelled' ? 'failed' : state, fields),
        reqId: parseOrText(opts).reqId,
        key: parseOrText(deid)?.[1],
        dueAt: state === 'delayed' ? Math.floor(Number(score) / SCORE_PER_MS) : undefined
      }))
      return { records, cursor: next, scanned }
    },
    async counts () {
      const counts = await run<number[]>('backgroundTaskCounts', of('wait', 'paused', 'prioritized', 'active', 'delayed', 'completed', 'failed'))
      const [waiting = 0, active = 0, delayed = 0, completed = 0, failed = 0] = counts
      return { waiting, active, delayed, completed, failed }
    },
    async retry (id) {
      const args = [base + id, ...of('failed', 'wait', 'prioritized', 'pc', 'meta', 'active', 'marker', 'events'), base, id, Date.now()]
      return await run<number>('backgroundTaskRetry', args) === 1
    }
  }
}
