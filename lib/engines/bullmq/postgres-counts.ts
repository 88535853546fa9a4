import type { StoredCounts } from '../../../types/index.js'

type State = keyof StoredCounts

const STATES: State[] = ['waiting', 'active', 'delayed', 'completed', 'failed']

/** Up to this number, the jobs of a state are counted anew each time. */
const EXACT_JOBS = 10_000

/** For how many times the duration of its counting a larger number is kept. Counting then takes at most this part of the time. */
const KEPT_TIMES = 20

/** How long callers get the number before, while a larger number is counted anew. */
const COUNTING_MS = 60_000

interface Known {
  readonly count: number
  keptUntil: number
}

/**
 * Counts the jobs of each state. PostgreSQL has no such numbers: counting a million jobs takes a tenth of a second or more, and a
 * dashboard may ask several times a second.
 */
export class JobCounts {
  readonly #query: <Found>(text: string) => Promise<Found[]>
  /** The numbers above `EXACT_JOBS`. */
  readonly #large = new Map<State, Known>()

  /** `query` puts the name of the queue in front of the values. */
  constructor (query: <Found>(text: string) => Promise<Found[]>) {
    this.#query = query
  }

  async read (): Promise<StoredCounts> {
    const startedAt = performance.now()
    const due = STATES.filter((state) => (this.#large.get(state)?.keptUntil ?? 0) <= startedAt)
    const counts: Partial<StoredCounts> = {}
    for (const [state, known] of this.#large) {
      counts[state] = known.count
      if (due.includes(state)) known.keptUntil = startedAt + COUNTING_MS
    }
    if (due.length > 0) Object.assign(counts, await this.#count(due, startedAt))
    return counts as StoredCounts
  }

  async #count (states: State[], startedAt: number): Promise<Partial<StoredCounts>> {
    try {
      const rows = await this.#query<{ state: State, count: string }>(states.map(countOf).join(' UNION ALL '))
      const counts = Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)])) as Partial<StoredCounts>
      this.#keep(counts, startedAt)
      return counts
    } catch (error) {
      for (const state of states) this.#large.delete(state)
      throw error
    }
  }

  /** Keeps each large number, according to its part of the time that counting took. */
  #keep (counts: Partial<StoredCounts>, startedAt: number): void {
    const now = performance.now()
    const entries = Object.entries(counts) as Array<[State, number]>
    const total = entries.reduce((sum, [, count]) => sum + count, 0)
    for (const [state, count] of entries) {
      if (count > EXACT_JOBS) this.#large.set(state, { count, keptUntil: now + KEPT_TIMES * (now - startedAt) * count / total })
      else this.#large.delete(state)
    }
  }
}

/** A statement of its own for each state can use the index of the state. */
function countOf (state: State): string {
  return `SELECT '${state}' AS state, count(*) FROM job WHERE queue = $1 AND state = '${state}'`
}
