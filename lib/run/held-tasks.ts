import { queueMicrotask, setImmediate } from '../base/real-timers.js'
import type { BackgroundTask } from '../task/task.js'

/**
 * Tasks that must not start in the turn of the event loop in which they were added. An immediate that was set before may
 * still run in that turn, so each burst of tasks has one of its own.
 */
export class HeldTasks {
  readonly #release: (tasks: BackgroundTask[]) => void
  /** What the code that runs now has added. */
  #burst: BackgroundTask[] | undefined = undefined
  /** How many bursts are held. */
  #bursts = 0

  constructor (release: (tasks: BackgroundTask[]) => void) {
    this.#release = release
  }

  get empty (): boolean {
    return this.#bursts === 0
  }

  add (task: BackgroundTask): void {
    this.#burst ??= this.#begin()
    this.#burst.push(task)
  }

  #begin (): BackgroundTask[] {
    const burst: BackgroundTask[] = []
    this.#bursts++
    setImmediate(() => {
      this.#bursts--
      this.#release(burst)
    })
    queueMicrotask(() => { this.#burst = undefined })
    return burst
  }
}
