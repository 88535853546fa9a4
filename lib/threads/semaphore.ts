/** Lets a number of callers in at once, and the others in the order they came. */
export class Gate {
  #free: number
  readonly #waiting = new Set<() => void>()

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
      this.#waiting.add(resolve)
      signal.addEventListener('abort', () => {
        // Who has been let in stays in.
        if (this.#waiting.delete(resolve)) reject(signal.reason)
      }, { once: true })
    })
  }

  leave (): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free++
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
