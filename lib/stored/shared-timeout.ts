import { LinkedList, type Link } from '../base/linked-list.js'
import { setImmediate } from '../base/real-timers.js'

/** How late a timer is when something has held the event loop. */
const HELD_MS = 5

/** What promises get whose time has passed while the event loop was held. */
const GRACE_MS = 200

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
export class SharedTimeout {
  readonly #ms: number
  /** Those that began first are due first. */
  readonly #waits = new LinkedList<Wait>()
  #timer: NodeJS.Timeout | undefined
  /** When the timer should call back. */
  #expiresAt = 0

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
    // The fake timer of a test may have been thrown away: one that is late by more than its time does not call back any more.
    if (this.#timer === undefined || wait.dueAt > this.#expiresAt + 2 * this.#ms) this.#setTimer(this.#ms)
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
    clearTimeout(this.#timer)
    const dueAt = this.#expiresAt = performance.now() + ms
    this.#timer = setTimeout(() => {
      if (this.#waits.first === undefined) this.#timer = undefined
      // While the loop was held past the time, an answer may have come that nobody has read: it is read in this turn.
      else if (performance.now() - dueAt < HELD_MS) setImmediate(this.#expire)
      // The question itself may have left only now.
      else this.#timer = setTimeout(setImmediate, GRACE_MS, this.#expire)
    }, ms)
  }

  readonly #expire = (): void => {
    this.#timer = undefined
    const now = performance.now()
    let wait = this.#waits.first
    for (; wait !== undefined && wait.dueAt <= now; wait = this.#waits.first) {
      this.#waits.remove(wait)
      wait.reject(new Error(`no answer within ${this.#ms} ms`))
    }
    if (wait !== undefined) this.#setTimer(Math.ceil(wait.dueAt - now))
  }
}
