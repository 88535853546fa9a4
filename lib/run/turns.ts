import { setImmediate } from '../base/real-timers.js'
import type { TurnBudget } from '../base/turn-budget.js'

/** Knows which tasks can start, and starts them. */
export interface TurnWork {
  /** Whether a task can start in this turn of the event loop. */
  canStart (): boolean
  /** Whether a task is held until the next turn of the event loop. */
  isHolding (): boolean
  startNext (): void
}

/** Starts tasks in turns of the event loop, within the budget of each turn. */
export class Turns {
  readonly #work: TurnWork
  readonly #budget: TurnBudget
  #scheduled = false
  #isStarting = false

  constructor (budget: TurnBudget, work: TurnWork) {
    this.#budget = budget
    this.#work = work
  }

  /** setImmediate lets the callbacks of this turn go first: other onResponse hooks, and requests that have come in. */
  schedule (): void {
    if (this.#scheduled || this.#isStarting || !(this.#work.canStart() || this.#work.isHolding())) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** Starts tasks in this turn, if its budget is not over. A new turn after each promise that settles would cost too much. */
  goOn (): void {
    if (!this.#isStarting && !this.#budget.isOver) this.#startTasks()
    else this.schedule()
  }

  readonly #turn = (): void => {
    this.#scheduled = false
    this.#budget.begin()
    this.#startTasks()
  }

  /** Starts tasks until none can start or the budget is over. */
  #startTasks (): void {
    this.#isStarting = true
    try {
      while (this.#work.canStart()) {
        this.#work.startNext()
        if (this.#budget.isOver) break
      }
    } finally {
      this.#isStarting = false
      this.schedule()
    }
  }
}
