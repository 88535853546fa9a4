import type * as Bullmq from 'bullmq'
import { hearBell } from './bell.js'
import type { Clients } from './clients.js'
import { type Records, lookAtEach } from './records.js'
import type { Runner } from './runner.js'

/** How often running tasks are looked at without a ring of the bell, which may get lost. */
const LOOK_MS = 1000

/** Tells the runner of a worker which of its tasks were cancelled in other processes. */
export class Cancellations {
  readonly #records: Records
  readonly #runner: Runner
  readonly #timer: NodeJS.Timeout
  #isLooking = false
  /** Whether the bell has rung during a look, which may have come too early. */
  #looksAgain = false

  constructor (clients: Clients, worker: Bullmq.Worker, records: Records, runner: Runner) {
    this.#records = records
    this.#runner = runner
    this.#timer = setInterval(this.#ring, LOOK_MS)
    hearBell(clients, worker, this.#ring)
  }

  close (): void {
    clearInterval(this.#timer)
  }

  /** Looks at the tasks that run, after a look that is under way. */
  readonly #ring = (): void => {
    this.#looksAgain = this.#isLooking
    if (this.#isLooking) return
    this.#isLooking = true
    // If the store cannot be asked, the next look tries again.
    this.#look().catch(() => {}).finally(() => {
      this.#isLooking = false
      if (this.#looksAgain) this.#ring()
    })
  }

  async #look (): Promise<void> {
    await lookAtEach(this.#records, this.#runner.running, ({ id, cancelled }) => {
      if (cancelled !== undefined) this.#runner.cancel(id, cancelled.reason)
    })
  }
}
