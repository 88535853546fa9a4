import { setImmediate } from '../base/real-timers.js'
import type { BackgroundTask } from '../task/task.js'
import { HeldTasks } from './held-tasks.js'
import type { Slice } from './turn-budget.js'

/** What starts tasks in turns. */
export interface Starter {
  /** Whether a task can start. */
  canStart (): boolean
  startNext (): void
  /** The task may start from now on. */
  release (task: BackgroundTask): void
}

/** Has tasks start in turns of the event loop, within one slice of each. */
export class Turns {
  readonly #starter: Starter
  readonly #slice: Slice
  readonly #held: HeldTasks
  #scheduled = false
  #draining = false

  constructor (slice: Slice, starter: Starter) {
    this.#slice = slice
    this.#starter = starter
    this.#held = new HeldTasks((tasks) => {
      for (const task of tasks) starter.release(task)
      slice.readClock()
      this.goOn()
    })
  }

  /** setImmediate runs after the callbacks of this turn: the other onResponse hooks, and requests that have come in. */
  schedule (): void {
    if (this.#scheduled || this.#draining || !(this.#starter.canStart() || !this.#held.empty)) return
    this.#scheduled = true
    setImmediate(this.#turn)
  }

  /** A promise that settles in a microtask of this turn goes on within its slice: a turn for each would cost too much. */
  goOn (): void {
    if (!this.#draining && !this.#slice.isOver) this.#drain()
    else this.schedule()
  }

  /** Releases the task in the next turn, and not in this one, whose immediates may not have run yet. */
  hold (task: BackgroundTask): void {
    this.#held.add(task)
    this.schedule()
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
