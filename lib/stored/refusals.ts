import type { StoredTask } from '../../types/index.js'

/** How long other workers have for a refused task before this worker gets it again: at first, and at most. */
const FIRST_DELAY_MS = 5000
const MAX_DELAY_MS = 300_000

/** How long after the due time a refused task may wait for another worker. After that time the task fails. */
const PATIENCE_MS = 3_600_000

/** How many refused tasks are remembered. A forgotten task counts as refused for the first time. */
const MAX_REMEMBERED = 10_000

interface Refusal {
  readonly dueAt: number
  readonly delayMs: number
}

/** The tasks that this worker has given back because its schema refuses their payload. Another worker may have a newer schema. */
export class Refusals {
  /** The refusals, the latest at the end. */
  readonly #byId = new Map<string, Refusal>()

  /** Milliseconds until this worker may get the task again. Undefined when the task has waited too long, and fails. */
  next ({ id, createdAt, delay = 0 }: StoredTask, attempt: number): number | undefined {
    const now = Date.now()
    // The due time of a retry is not known.
    const refusal = this.#byId.get(id) ?? { dueAt: attempt === 1 ? createdAt + delay : now, delayMs: FIRST_DELAY_MS }
    this.#byId.delete(id)
    if (now - refusal.dueAt >= PATIENCE_MS) return undefined
    const { delayMs } = refusal
    this.#byId.set(id, { dueAt: refusal.dueAt, delayMs: Math.min(2 * delayMs, MAX_DELAY_MS) })
    if (this.#byId.size > MAX_REMEMBERED) this.#byId.delete(this.#byId.keys().next().value!)
    return delayMs
  }
}
