import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'

const PATIENCE_MS = 5000

/** Prints what happens, with the time since the start, and checks that it happened. */
export class Timeline {
  #start: number | undefined
  readonly #events = new EventEmitter()
  /** The lines since the last heading. */
  #lines: string[] = []

  /** Begins a part of the demo. The clock starts with the first one. */
  heading (text: string): void {
    this.#start ??= performance.now()
    this.#lines = []
    console.log(`\n${text}`)
  }

  add (line: string): void {
    const now = performance.now()
    const ms = Math.round(now - (this.#start ?? now))
    console.log(`${`+${ms} ms`.padStart(10)}  ${line}`)
    this.#lines.push(line)
    this.#events.emit('line')
  }

  /** Waits for a line under this heading that begins like this. */
  async until (beginning: string): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    while (this.#find(beginning) === -1) {
      await once(this.#events, 'line', { signal }).catch(() => {
        assert.fail(`no line began with "${beginning}" within ${PATIENCE_MS} ms`)
      })
    }
  }

  /** Checks that lines that begin like these have come under this heading, in this order. */
  expect (...beginnings: string[]): void {
    let last = -1
    for (const beginning of beginnings) {
      const index = this.#find(beginning, last + 1)
      assert.notEqual(index, -1, `expected a line that begins with "${beginning}", in this order: ${beginnings.join(' | ')}`)
      last = index
    }
  }

  /** Checks that no line under this heading begins like this. */
  expectNone (beginning: string): void {
    assert.equal(this.#find(beginning), -1, `expected no line that begins with "${beginning}"`)
  }

  #find (beginning: string, from = 0): number {
    return this.#lines.findIndex((line, index) => index >= from && line.startsWith(beginning))
  }
}
