import { LoopDelay } from './loop-delay.js'
import type { RatesEntry } from './view.js'

const SAMPLE_MS = 1000
const MAX_SAMPLES = 60

/** Takes a sample of the app once a second. */
export class Sampler {
  readonly rates: RatesEntry = { completed: [], delayMs: [] }
  readonly #completed: () => number
  readonly #delay = new LoopDelay()
  readonly #timer: NodeJS.Timeout
  #before: number

  /** `completed`: how many tasks have completed since the start of the app. */
  constructor (completed: () => number, onSample: () => void) {
    this.#completed = completed
    this.#before = completed()
    this.#timer = setInterval(() => {
      this.#sample()
      onSample()
    }, SAMPLE_MS).unref()
  }

  end (): void {
    clearInterval(this.#timer)
    this.#delay.end()
  }

  #sample (): void {
    const completed = this.#completed()
    append(this.rates.completed, completed - this.#before)
    this.#before = completed
    append(this.rates.delayMs, this.#delay.take())
  }
}

function append (values: number[], value: number): void {
  values.push(value)
  if (values.length > MAX_SAMPLES) values.shift()
}
