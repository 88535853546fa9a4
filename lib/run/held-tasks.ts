import { queueMicrotask, setImmediate } from '../base/real-timers.js'

/**
 * Tasks that must not start in the turn of the event loop in which they were added. An immediate that was set before may
 * still run in that turn, so each burst of tasks has one of its own.
 */
export class HeldTasks {
  readonly #onRelease: () => void
  readonly #held = new Set<unknown>()
  /** What the code that runs now has added. */
  #burst: unknown[] | undefined = undefined

  /** `onRelease`: called when the tasks of a burst are held no more. */
  constructor (onRelease: () => void) {
    this.#onRelease = onRelease
  }

  get empty (): boolean {
    return this.#held.size === 0
  }

  has (task: unknown): boolean {
    return this.#held.size > 0 && this.#held.has(task)
  }

  add (task: unknown): void {
    this.#burst ??= this.#begin()
    this.#burst.push(task)
    this.#held.add(task)
  }

  #begin (): unknown[] {
    const burst: unknown[] = []
    setImmediate(() => {
      for (const task of burst) this.#held.delete(task)
      this.#onRelease()
    })
    queueMicrotask(() => { this.#burst = undefined })
    return burst
  }
}
