import type { NextTick } from './cron.js'

/** A tick that is later than this is missed: the clock was set, or the process stood still. Missed ticks are not made up. */
const MAX_LATE_MS = 60_000

/** Tells which ticks of a schedule have come. Times are milliseconds since 1970. */
export class Ticks {
  /** When the next tick is. */
  next: number
  readonly #nextAfter: NextTick
  /** When the clock was looked at. */
  #lookedAt: number

  constructor (nextAfter: NextTick, now: number) {
    this.#nextAfter = nextAfter
    this.#lookedAt = now
    this.next = nextAfter(now)
  }

  /** The ticks since the last look, the first one first. */
  look (now: number): number[] {
    const lookedAt = this.#lookedAt
    this.#lookedAt = now
    if (lookedAt <= now && now < this.next) return []
    const due: number[] = []
    // After the clock was set back, no tick is due.
    this.next = this.#nextAfter(Math.max(Math.min(lookedAt, now), now - MAX_LATE_MS - 1))
    for (; this.next <= now; this.next = this.#nextAfter(this.next)) due.push(this.next)
    return due
  }
}
