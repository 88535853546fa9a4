import { LinkedList, type Link } from '../base/linked-list.js'

interface Wait extends Link<Wait> {
  enter (): void
}

/** Lets `capacity` callers in at once. The other callers enter in order of arrival. */
export class Semaphore {
  #free: number
  readonly #waiting = new LinkedList<Wait>()

  constructor (capacity: number) {
    this.#free = capacity
  }

  /** Resolves when the caller may enter. Rejects with the reason of the signal. A caller that has entered must call `leave`. */
  async enter (signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    await new Promise<void>((resolve, reject) => {
      const wait: Wait = { previous: undefined, next: undefined, enter: resolve }
      this.#waiting.push(wait)
      signal.addEventListener('abort', () => {
        // A caller that has entered is no longer in the list.
        if (!this.#waiting.has(wait)) return
        this.#waiting.remove(wait)
        reject(signal.reason)
      }, { once: true })
    })
  }

  leave (): void {
    const next = this.#waiting.first
    if (next === undefined) {
      this.#free++
      return
    }
    this.#waiting.remove(next)
    next.enter()
  }
}
