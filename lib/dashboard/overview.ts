import { Counts } from './counts.js'
import { ShownRequests } from './shown-requests.js'
import { StoreNames } from './store-names.js'
import type { View, ViewData } from './view-data.js'

/** The view `overview`: numbers, names and requests. */
export class Overview implements View {
  readonly questions: View['questions']
  readonly #data: ViewData
  readonly #counts: Counts
  readonly #storeNames: StoreNames
  readonly #requests = new ShownRequests()

  constructor (data: ViewData) {
    this.#data = data
    this.#counts = new Counts(data)
    this.#storeNames = new StoreNames(data)
    this.questions = [this.#counts.stored, this.#storeNames.latest]
  }

  write (entries: Map<string, string>): void {
    const { recorder: { names, requests }, sampler, lookAgain } = this.#data
    entries.set('counts', JSON.stringify(this.#counts.entry()))
    entries.set('rates', JSON.stringify(sampler.rates))
    for (const stats of names.all()) entries.set(`name:${stats.name}`, stats.text)
    for (const stats of this.#storeNames.names().values()) {
      const own = names.of(stats.name)
      if (own?.where !== 'here') entries.set(`name:${stats.name}`, JSON.stringify(stats.entry(own)))
    }
    if (!this.#requests.write(requests.kept, entries)) lookAgain()
  }

  end (): void {
    this.#counts.end()
    this.#storeNames.end()
  }
}
