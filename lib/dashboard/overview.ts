import { Counts } from './counts.js'
import type { View, ViewData } from './view-data.js'

/** The view `overview`: numbers, names and requests. */
export class Overview implements View {
  readonly #data: ViewData
  readonly #counts: Counts

  constructor (data: ViewData) {
    this.#data = data
    this.#counts = new Counts(data)
  }

  write (entries: Map<string, string>): void {
    const { recorder, sampler } = this.#data
    entries.set('counts', JSON.stringify(this.#counts.entry()))
    entries.set('rates', JSON.stringify(sampler.rates))
    for (const stats of recorder.names.all()) entries.set(`name:${stats.name}`, stats.text)
    for (const request of recorder.requests) entries.set(`request:${request.number}`, request.text)
  }

  end (): void {
    this.#counts.end()
  }
}
