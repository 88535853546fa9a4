import { setImmediate } from '../base/real-timers.js'
import type { Slice } from '../base/turn-budget.js'

/** What starts tasks in turns. */
export interface Starter {
  /** Whether a task can start. */
  canStart (): boolean
  /** Whether a task can start in the next turn at the earliest. */
  isHolding (): boolean
  startNext (): void
}

/** Has tasks start in turns of the event loop, within one slice of each. */
export class Turns {
  readonly #starter: Starter
  readonly #slice: Slice
  #scheduled = false
  #draining = false

  constructor (slice: Slice, starter: Starter) {
    this.#slice = slice
    this.#starter = starter
  }

  /** setImmediate runs after the callbacks of this turn: the other onResponse hooks, and requests that have come in. */
  schedule (): void {
    if (this.#scheduled || this.#draining || !(this.#starter.canStart() || this.#starter.isHolding())) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** A promise that settles in a microtask of this turn goes on within its slice: a turn for each would cost too much. */
  goOn (): void {
    if (!this.#draining && !this.#slice.isOver) this.#drain()
    else this.schedule()
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    this.#slice.begin()
    this.#drain()
  }

  /** Starts tasks until none can start or the slice is used up. */
  #drain (): void {
    this.#draining = true
    try {
      while (this.#starter.canStart()) {
        this.#starter.startNext()
        if (this.#slice.isOver) break
      }
    } finally {
      this.#draining = false
      this.schedule()
    }
  }
}
