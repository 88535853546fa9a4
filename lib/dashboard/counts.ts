import type { StoredCounts } from '../../types/index.js'
import type { Question } from './store.js'
import type { ViewData } from './view-data.js'
import type { CountsEntry } from './view.js'

/** How many tasks there are in each state, in this process and in a store that processes share. */
export class Counts {
  readonly #data: ViewData
  readonly stored: Question<StoredCounts> | undefined

  constructor (data: ViewData) {
    this.#data = data
    const { client } = data.tasks.services
    const { engine } = client
    if (client.isLocal || engine.counts === undefined) return
    this.stored = data.store.read('counts', () => client.ask((engine) => engine.counts!()))
  }

  entry (): CountsEntry {
    const { tasks: { services: { census } }, recorder } = this.#data
    const { retries, ...counts } = census.stats()
    const stored = this.stored?.answer
    if (stored === undefined) return counts
    // The store counts these tasks too.
    for (const { state } of recorder.guests) counts[state]--
    for (const state of ['completed', 'failed', 'cancelled'] as const) counts[state] -= census.storedEnds[state]
    for (const state of ['waiting', 'active', 'delayed', 'completed', 'failed'] as const) counts[state] += stored[state]
    return counts
  }

  end (): void {
    if (this.stored !== undefined) this.#data.store.leave(this.stored)
  }
}
