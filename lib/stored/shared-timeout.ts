import { Chain, type Link } from '../base/linked-list.js'

/** A promise that is waited for. */
class Wait implements Link<Wait> {
  previous: Wait | undefined = undefined
  next: Wait | undefined = undefined

  constructor (readonly dueAt: number, readonly reject: (error: Error) => void) {}
}

/**
 * A time limit for many promises, with one timer for all of them: requests that each start and clear their own spend more
 * on it than on all that they wait for here.
 */
export class Deadline {
  readonly #ms: number
  /** Those that began first are due first. */
  readonly #waits = new Chain<Wait>()
  #timer: NodeJS.Timeout | undefined

  /** `ms`: how long each promise may take. */
  constructor (ms: number) {
    this.#ms = ms
  }

  /** Settles as the promise that `start` gives, or rejects once its time is over. */
  within<Value> (start: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const wait = new Wait(performance.now() + this.#ms, reject)
      // A function that throws rejects the promise, and nothing waits.
      const promise = start()
      this.#begin(wait)
      promise.then((value) => {
        this.#end(wait)
        resolve(value)
      }, (error) => {
        this.#end(wait)
        reject(error)
      })
    })
  }

  #begin (wait: Wait): void {
    const isFirst = this.#waits.first === undefined
    this.#waits.push(wait)
    if (this.#timer === undefined) this.#setTimer(this.#ms)
    else if (isFirst) this.#timer.ref()
  }

  #end (wait: Wait): void {
    // It may have run out of time before.
    if (!this.#waits.has(wait)) return
    this.#waits.remove(wait)
    // The timer is left for the next one, but must not keep the process alive.
    if (this.#waits.first === undefined) this.#timer?.unref()
  }

  #setTimer (ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#expire()
    }, ms)
  }

  #expire (): void {
    const now = performance.now()
    let wait = this.#waits.first
    for (; wait !== undefined && wait.dueAt <= now; wait = this.#waits.first) {
      this.#waits.remove(wait)
      wait.reject(new Error(`no answer within ${this.#ms} ms`))
    }
    if (wait !== undefined) this.#setTimer(Math.ceil(wait.dueAt - now))
  }
}
