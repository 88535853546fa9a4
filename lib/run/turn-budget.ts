/** The time, in milliseconds, that tasks may hold the event loop before requests get their turn. */
const SLICE_MS = 1

/** One turn's share of the event loop, on the monotonic clock, which is read as rarely as can be. */
export class Slice {
  /** When the clock was read last. */
  now = 0
  #end = 0

  /** The slice of a new turn. */
  begin (): void {
    this.readClock()
    this.#end = this.now + SLICE_MS
  }

  readClock (): void {
    this.now = performance.now()
  }

  get isOver (): boolean {
    return this.now >= this.#end
  }
}
