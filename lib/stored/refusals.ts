import type { StoredTask } from '../../types/index.js'

/** How long a task is left to others that this worker refuses: the first time, and at most. */
const FIRST_DELAY_MS = 5000
const MAX_DELAY_MS = 300_000

/** How long others may take to come. */
const PATIENCE_MS = 3_600_000

/** How many tasks are remembered. What is forgotten begins anew. */
const MAX_REMEMBERED = 10_000

interface Refusal {
  readonly dueAt: number
  readonly delayMs: number
}

/** The tasks that this worker has given back because its schema refuses their payload: perhaps it is older than they are. */
export class Refusals {
  /** Those refused last are the last. */
  readonly #byId = new Map<string, Refusal>()

  /** How long the task is left to others from now on; undefined once that has gone on for too long. */
  next ({ id, createdAt, delay = 0 }: StoredTask, attempt: number): number | undefined {
    const now = Date.now()
    // When a retry was due nobody has noted.
    const refusal = this.#byId.get(id) ?? { dueAt: attempt === 1 ? createdAt + delay : now, delayMs: FIRST_DELAY_MS }
    this.#byId.delete(id)
    if (now - refusal.dueAt >= PATIENCE_MS) return undefined
    const { delayMs } = refusal
    this.#byId.set(id, { dueAt: refusal.dueAt, delayMs: Math.min(2 * delayMs, MAX_DELAY_MS) })
    if (this.#byId.size > MAX_REMEMBERED) this.#byId.delete(this.#byId.keys().next().value!)
    return delayMs
  }
}
