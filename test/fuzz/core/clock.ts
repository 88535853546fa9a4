import { mock } from 'node:test'
import { nextTurn } from '../../support/turns.js'

/** Time that goes on only when it is told to, and a little each time that somebody looks. */
export class Clock {
  #now = Math.ceil(performance.now())
  readonly #mock

  constructor (stepMs: number) {
    mock.timers.enable({ apis: ['setTimeout'] })
    this.#mock = mock.method(performance, 'now', () => {
      this.#now += stepMs
      return this.#now
    })
  }

  /** Milliseconds that were ticked. */
  ticks = 0

  /** Milliseconds, without a look that takes time. */
  get now (): number {
    return this.#now
  }

  /** The two together. */
  get time (): { now: number, ticks: number } {
    return { now: this.#now, ticks: this.ticks }
  }

  /** One millisecond, and all that is to happen by its end. */
  async tick (): Promise<void> {
    this.#now++
    this.ticks++
    mock.timers.tick(1)
    await nextTurn()
  }

  restore (): void {
    this.#mock.mock.restore()
    mock.timers.reset()
  }
}
