import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { type Lane, type Line, type Mood, Screen } from './screen.js'

const PATIENCE_MS = 8000

/** A line whose text may not be known yet. */
type Place = Partial<Line> & Pick<Line, 'lane'>

/** Ids are long, and mean nothing to a reader. */
function withoutIds (text: string): string {
  return text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, '…')
}

/** Shows what happens in the order in which it happens, and checks that it happened. */
export class Timeline {
  readonly screen = new Screen()
  readonly #events = new EventEmitter()
  #scenes = 0
  #start: number | undefined
  /** Lines to come: a place without a text holds up those behind it. */
  readonly #waiting: Place[] = []
  /** The lines of the scene, each behind the name of its lane. */
  #lines: string[] = []

  /** Begins a scene. */
  scene (title: string): void {
    this.#start = undefined
    this.#lines = []
    this.screen.heading(`${++this.#scenes}. ${title}`)
  }

  /** Before the first scene nothing is shown. */
  add (lane: Lane, text: string, mood?: Mood): void {
    if (this.#scenes === 0) return
    const now = performance.now()
    this.#waiting.push({ lane, text: withoutIds(text), ms: now - (this.#start ?? now), ...(mood && { mood }) })
    this.#flush()
  }

  /** Adds the line of a request. The clock of the scene starts when the first one was sent, a time of `performance.now()`. */
  addRequest (text: string, sentAt: number): void {
    this.add('client', text)
    this.#start ??= sentAt
  }

  /** Keeps a place for a line of another process, whose text comes later. The lines behind it wait. */
  reserve (lane: Lane): (text: string, mood?: Mood) => void {
    const place: Place = { lane }
    this.#waiting.push(place)
    return (text, mood) => {
      Object.assign(place, { text: withoutIds(text), mood })
      this.#flush()
    }
  }

  /** Waits for a line of this scene that begins like this. */
  async until (beginning: string): Promise<void> {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    while (this.#find(beginning) === -1) {
      await once(this.#events, 'line', { signal }).catch(() => {
        assert.fail(`no line began with "${beginning}" within ${PATIENCE_MS} ms`)
      })
    }
  }

  /** Checks that lines of this scene begin like these, in this order. */
  expect (...beginnings: string[]): void {
    let last = -1
    for (const beginning of beginnings) {
      const index = this.#find(beginning, last + 1)
      assert.notEqual(index, -1, `expected a line that begins with "${beginning}", in this order: ${beginnings.join(' | ')}`)
      last = index
    }
  }

  /** Checks that no line of this scene begins like this. */
  expectNone (beginning: string): void {
    assert.equal(this.#find(beginning), -1, `expected no line that begins with "${beginning}"`)
  }

  #flush (): void {
    while (this.#waiting[0]?.text !== undefined) {
      const line = this.#waiting.shift() as Line
      this.screen.line(line)
      this.#lines.push(`${line.lane}: ${line.text}`)
      this.#events.emit('line')
    }
  }

  #find (beginning: string, from = 0): number {
    return this.#lines.findIndex((line, index) => index >= from && line.startsWith(beginning))
  }
}
