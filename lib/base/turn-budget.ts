import { Fifo } from './fifo.js'
import { setImmediate } from './real-timers.js'

/** The time, in milliseconds, that tasks may hold the event loop before requests get their turn. */
const BUDGET_MS = 1

/** One turn's share of the event loop, on the monotonic clock, which is read as rarely as can be. */
export class TurnBudget {
  /** When the clock was read last. */
  now = 0
  #end = 0

  /** The budget of a new turn. */
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

/** Work in pieces that may be many at once: each turn of the event loop does as many as fit in a budget. */
export class Paced {
  readonly #doNext: () => boolean
  readonly #budget = new TurnBudget()
  /** This turn has had a part of its budget. */
  #isBegun = false
  #isLeft = false

  /** `doNext`: does one piece; false when there was none. */
  constructor (doNext: () => boolean) {
    this.#doNext = doNext
  }

  /** Does at once what fits in the budget of this turn, and the rest in turns to come. */
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

/** Calls the function at once, or in a later turn where the calls of this one have used up their budget. In order. */
export function whenTurnAllows (call: () => void): void {
  calls.push(call)
  calling.run()
}

/** The same for each of many. Resolves when all have been called. */
export function eachAsTurnsAllow<Item> (items: Item[], call: (item: Item) => void): Promise<void> {
  for (const item of items) whenTurnAllows(() => { call(item) })
  return new Promise((resolve) => { whenTurnAllows(resolve) })
}
