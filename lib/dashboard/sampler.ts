import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { round } from './round.js'
import type { RatesEntry } from './view.js'

const SAMPLE_MS = 1000
const MAX_SAMPLES = 60

/** How often the event loop is to come round, in milliseconds. The histogram has the whole time between two rounds. */
const RESOLUTION_MS = 20

/** Takes a sample of the app once a second. */
export class Sampler {
  readonly #completed: () => number
  readonly #delays: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  readonly #timer: NodeJS.Timeout
  readonly #rates: RatesEntry = { completed: [], delayMs: [] }
  #before: number

  /** `completed`: how many tasks have completed since the start of the app. */
  constructor (completed: () => number, onSample: () => void) {
    this.#completed = completed
    this.#before = completed()
    this.#delays.enable()
    this.#timer = setInterval(() => {
      this.#sample()
      onSample()
    }, SAMPLE_MS).unref()
  }

  get rates (): RatesEntry {
    return this.#rates
  }

  end (): void {
    clearInterval(this.#timer)
    this.#delays.disable()
  }

  #sample (): void {
    const completed = this.#completed()
    append(this.#rates.completed, completed - this.#before)
    this.#before = completed
    append(this.#rates.delayMs, Math.max(0, round(this.#delays.max / 1e6 - RESOLUTION_MS)))
    this.#delays.reset()
  }
}

function append (values: number[], value: number): void {
  values.push(value)
  if (values.length > MAX_SAMPLES) values.shift()
}
