import { Fifo } from './fifo.js'
import { setImmediate } from './real-timers.js'

/** The time, in milliseconds, that tasks may hold the event loop before requests get their turn. */
const BUDGET_MS = 1

/** The time that tasks may take in one turn of the event loop. The monotonic clock is read as rarely as possible. */
export class TurnBudget {
  /** When the clock was read last. */
  now = 0
  #end = 0

  /** Begins the budget of a new turn. */
  begin (): void {
    this.readClock()
    this.#end = this.now + BUDGET_MS
  }

  readClock (): void {
    this.now = performance.now()
  }

  get isOver (): boolean {
    return this.now >= this.#end
  }
}

/** Does many pieces of work over several turns. Each turn of the event loop does as many pieces as fit in its budget. */
export class Paced {
  readonly #doNext: () => boolean
  readonly #budget = new TurnBudget()
  /** Whether work has begun in this turn. */
  #isBegun = false
  #isLeft = false

  /** `doNext`: does one piece of work, or returns false when no piece is left. */
  constructor (doNext: () => boolean) {
    this.#doNext = doNext
  }

  /** Does as many pieces as fit in the budget of this turn, and the others in later turns. */
  run (): void {
    if (!this.#isBegun) this.#begin()
    while (!this.#budget.isOver) {
      if (!this.#doNext()) return
      this.#budget.readClock()
    }
    this.#isLeft = true
  }

  #begin (): void {
    this.#isBegun = true
    this.#budget.begin()
    setImmediate(this.#endTurn)
  }

  readonly #endTurn = (): void => {
    this.#isBegun = false
    if (!this.#isLeft) return
    this.#isLeft = false
    this.run()
  }
}

const calls = new Fifo<() => void>()
const calling = new Paced(() => {
  const call = calls.shift()
  call?.()
  return call !== undefined
})

/** Calls the function at once, or in a later turn when the budget of this turn is over. Calls keep their order. */
export function whenTurnAllows (call: () => void): void {
  calls.push(call)
  calling.run()
}

/** As `whenTurnAllows`, for each item. Resolves when `call` was called with every item. */
export function eachAsTurnsAllow<Item> (items: Item[], call: (item: Item) => void): Promise<void> {
  for (const item of items) whenTurnAllows(() => { call(item) })
  return new Promise((resolve) => { whenTurnAllows(resolve) })
}
