import { round } from './round.js'

/** How often the event loop is to come round, in milliseconds. */
const ROUND_MS = 20

/** Measures how late the event loop is. The histogram of Node.js misses what comes right after its reset. */
export class LoopDelay {
  readonly #timer: NodeJS.Timeout
  #cameAt = performance.now()
  #maxMs = 0

  constructor () {
    this.#timer = setInterval(() => { this.#come() }, ROUND_MS).unref()
  }

  /** The longest delay since the last call. */
  take (): number {
    this.#come()
    const maxMs = this.#maxMs
    this.#maxMs = 0
    return round(maxMs)
  }

  end (): void {
    clearInterval(this.#timer)
  }

  #come (): void {
    const now = performance.now()
    this.#maxMs = Math.max(this.#maxMs, now - this.#cameAt - ROUND_MS)
    this.#cameAt = now
  }
}
