import { setImmediate } from '../base/real-timers.js'
import type { TurnBudget } from '../base/turn-budget.js'

/** What starts tasks in turns. */
export interface Starter {
  /** Whether a task can start. */
  canStart (): boolean
  /** Whether a task can start in the next turn at the earliest. */
  isHolding (): boolean
  startNext (): void
}

/** Has tasks start in turns of the event loop, within one budget of each. */
export class Turns {
  readonly #starter: Starter
  readonly #budget: TurnBudget
  #scheduled = false
  #draining = false

  constructor (budget: TurnBudget, starter: Starter) {
    this.#budget = budget
    this.#starter = starter
  }

  /** setImmediate runs after the callbacks of this turn: the other onResponse hooks, and requests that have come in. */
  schedule (): void {
    if (this.#scheduled || this.#draining || !(this.#starter.canStart() || this.#starter.isHolding())) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** A promise that settles in a microtask of this turn goes on within its budget: a turn for each would cost too much. */
  goOn (): void {
    if (!this.#draining && !this.#budget.isOver) this.#drain()
    else this.schedule()
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    this.#budget.begin()
    this.#drain()
  }

  /** Starts tasks until none can start or the budget is used up. */
  #drain (): void {
    this.#draining = true
    try {
      while (this.#starter.canStart()) {
        this.#starter.startNext()
        if (this.#budget.isOver) break
      }
    } finally {
      this.#draining = false
      this.schedule()
    }
  }
}
