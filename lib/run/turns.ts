import { setImmediate } from '../base/real-timers.js'
import type { TurnBudget } from '../base/turn-budget.js'

/** Knows which tasks can start, and starts them. */
export interface Starter {
  /** Whether a task can start in this turn of the event loop. */
  canStart (): boolean
  /** Whether a task is held until the next turn of the event loop. */
  isHolding (): boolean
  startNext (): void
}

/** Starts tasks in turns of the event loop, within the budget of each turn. */
export class Turns {
  readonly #starter: Starter
  readonly #budget: TurnBudget
  #scheduled = false
  #draining = false

  constructor (budget: TurnBudget, starter: Starter) {
    this.#budget = budget
    this.#starter = starter
  }

  /** setImmediate lets the callbacks of this turn go first: other onResponse hooks, and requests that have come in. */
  schedule (): void {
    if (this.#scheduled || this.#draining || !(this.#starter.canStart() || this.#starter.isHolding())) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** Starts tasks in this turn, if its budget is not over. A new turn after each promise that settles would cost too much. */
  goOn (): void {
    if (!this.#draining && !this.#budget.isOver) this.#drain()
    else this.schedule()
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    this.#budget.begin()
    this.#drain()
  }

  /** Starts tasks until none can start or the budget is over. */
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
