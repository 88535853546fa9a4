import { LinkedList, type Link } from '../base/linked-list.js'

interface Wait extends Link<Wait> {
  enter (): void
}

/** Lets a number of callers in at once, and the others in the order they came. */
export class Semaphore {
  #free: number
  readonly #waiting = new LinkedList<Wait>()

  constructor (capacity: number) {
    this.#free = capacity
  }

  /** Resolves when the caller may go in; rejects with the signal's reason. Who was let in must call `leave`. */
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
        // Who has been let in stays in.
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
