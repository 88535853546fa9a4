import { queueMicrotask, setImmediate } from '../base/real-timers.js'

/**
 * Holds tasks that must not start in the turn of the event loop in which they were added. An immediate that was set earlier
 * may be called in that same turn. Each burst of tasks therefore sets an immediate of its own.
 */
export class HeldTasks {
  readonly #onRelease: () => void
  readonly #held = new Set<unknown>()
  /** The tasks of the present burst, which ends with the next microtask. */
  #burst: unknown[] | undefined = undefined

  /** `onRelease`: called when the tasks of a burst may start. */
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
