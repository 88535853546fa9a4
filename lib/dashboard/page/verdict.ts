import { entryOf, namesOf, type Entries } from './entries.js'
import { ago, count, duration, plural, rate } from './format.js'

/** The answer to "is all well?". */
export interface Verdict {
  tone: 'well' | 'look' | 'bad' | 'unknown'
  title: string
  detail: string
}

/** A failure is news for this long. */
const RECENT_MS = 5 * 60_000
const LONG_WAIT_MS = 10_000
const LONG_DELAY_MS = 250
/** The latest seconds that a figure speaks of. */
const LATEST = 10

/** Tasks a second, over the latest seconds. */
export function completedPerSecond (completed: number[]): number {
  const latest = completed.slice(-LATEST)
  return latest.length === 0 ? 0 : latest.reduce((sum, value) => sum + value) / latest.length
}

export const longestDelay = (delayMs: number[]): number => Math.max(0, ...delayMs.slice(-LATEST))

/** `status` is that of the live stream. */
export function verdictOf (entries: Entries, status: string, now: number): Verdict {
  const counts = entryOf(entries, 'counts')
  const rates = entryOf(entries, 'rates')
  if (counts === undefined) return { tone: 'unknown', title: 'No numbers yet', detail: status }
  const waits = counts.waiting === 0
    ? 'nothing waits'
    : `${plural(counts.waiting, 'task')} ${counts.waiting === 1 ? 'waits' : 'wait'}, the oldest for ${duration(counts.oldestWaitingMs)}`
  const runs = rates === undefined ? '' : `, ${rate(completedPerSecond(rates.completed))} completed per second`

  const last = namesOf(entries)
    .filter(({ lastFailure }) => lastFailure !== undefined)
    .sort((a, b) => (b.lastFailure?.at ?? 0) - (a.lastFailure?.at ?? 0))[0]
  const failed = `${count(counts.failed)} failed`
  const lastFailed = last?.lastFailure === undefined
    ? 'All of them before this page began to record'
    : `The last one ${ago(now - last.lastFailure.at)}: ${last.name}, ${last.lastFailure.message}`
  if (last?.lastFailure !== undefined && now - last.lastFailure.at < RECENT_MS && counts.failed > 0) return { tone: 'bad', title: failed, detail: lastFailed }
  if (counts.oldestWaitingMs > LONG_WAIT_MS && counts.waiting > 0) {
    return { tone: 'look', title: 'Tasks have to wait', detail: `${waits}${runs}.` }
  }
  const held = longestDelay(rates?.delayMs ?? [])
  if (held > LONG_DELAY_MS) return { tone: 'look', title: 'The event loop is held up', detail: `By ${duration(held)} within the last ${LATEST} seconds: requests and tasks had to wait for it.` }
  if (counts.failed > 0) return { tone: 'look', title: failed, detail: `${lastFailed}. Otherwise all is well: ${waits}${runs}.` }
  return { tone: 'well', title: 'All is well', detail: `Nothing failed, ${waits}${runs}.` }
}
