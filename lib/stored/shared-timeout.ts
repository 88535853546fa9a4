import { LinkedList, type Link } from '../base/linked-list.js'
import { setImmediate } from '../base/real-timers.js'

/** A timer that is later than this was late because something held the event loop. */
const HELD_MS = 5

/** The extra time of promises whose time passed while the event loop was held. */
const GRACE_MS = 200

/** The time limit of one promise. */
class Wait implements Link<Wait> {
  previous: Wait | undefined = undefined
  next: Wait | undefined = undefined

  constructor (readonly dueAt: number, readonly reject: (error: Error) => void) {}
}

/**
 * A time limit for many promises, with one timer for all of them. A timer for each request would cost more than storing its
 * tasks.
 */
export class SharedTimeout {
  readonly #ms: number
  /** The waits, the first due at the start. */
  readonly #waits = new LinkedList<Wait>()
  #timer: NodeJS.Timeout | undefined
  /** When the timer is due. */
  #expiresAt = 0

  /** `ms`: how long each promise may take. */
  constructor (ms: number) {
    this.#ms = ms
  }

  /** Settles as the promise of `start` settles, or rejects when its time is over. */
  within<Value> (start: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const wait = new Wait(performance.now() + this.#ms, reject)
      // If `start` throws, the promise rejects and no wait begins.
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
    // A test may have discarded the fake timer. A timer that is late by more than its own time is never called.
    if (this.#timer === undefined || wait.dueAt > this.#expiresAt + 2 * this.#ms) this.#setTimer(this.#ms)
    else if (isFirst) this.#timer.ref()
  }

  #end (wait: Wait): void {
    // The time of the wait may have been over before.
    if (!this.#waits.has(wait)) return
    this.#waits.remove(wait)
    // The timer stays for the next wait, but must not keep the process alive.
    if (this.#waits.first === undefined) this.#timer?.unref()
  }

  #setTimer (ms: number): void {
    clearTimeout(this.#timer)
    const dueAt = this.#expiresAt = performance.now() + ms
    this.#timer = setTimeout(() => {
      if (this.#waits.first === undefined) this.#timer = undefined
      // An answer may have come while the event loop was held. The answer is read in this turn, before the immediate.
      else if (performance.now() - dueAt < HELD_MS) setImmediate(this.#expire)
      // After a long hold, the request to the engine may be sent only now.
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
