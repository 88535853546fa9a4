import type { EngineQuery, StoredSnapshot } from '../../types/index.js'
import type { Services } from '../stored/services.js'
import { NameStats } from './name-stats.js'
import type { Question } from './store.js'
import type { ViewData } from './view-data.js'

/** How many of the latest tasks in each state are looked at, and how often. */
const PAGE = 100
const LOOK_MS = 2000

const STATES: ReadonlyArray<EngineQuery['state']> = ['completed', 'failed', 'active', 'delayed', 'waiting']

/** The names of the latest tasks in a store that processes share: other processes run tasks, and this one does not see them. */
export class StoreNames {
  readonly #data: ViewData
  readonly latest: Question<StoredSnapshot[]> | undefined
  #seen: StoredSnapshot[] | undefined
  #names = new Map<string, NameStats>()

  constructor (data: ViewData) {
    this.#data = data
    const { client } = data.tasks.services
    if (client.isLocal || client.engine.list === undefined) return
    this.latest = data.store.read('latest', () => findLatest(client), () => LOOK_MS)
  }

  /** By name, without the names whose tasks run in this process. */
  names (): ReadonlyMap<string, NameStats> {
    const latest = this.latest?.answer
    if (latest !== undefined && latest !== this.#seen) {
      this.#seen = latest
      this.#names = this.#count(latest)
      for (const snapshot of latest) this.#data.recorder.hear(snapshot)
    }
    return this.#names
  }

  end (): void {
    if (this.latest !== undefined) this.#data.store.leave(this.latest)
  }

  #count (latest: StoredSnapshot[]): Map<string, NameStats> {
    const { registry, client: { isWorker } } = this.#data.tasks.services
    const names = new Map<string, NameStats>()
    for (const { name, state, startedAt, finishedAt, error } of latest) {
      const definition = registry.find(name)
      if (isWorker && definition !== undefined) continue
      const stats = names.get(name) ?? new NameStats(name, definition?.startsLate === true ? 'file' : 'registered', 'elsewhere')
      names.set(name, stats)
      stats.count(state, 1)
      if (startedAt !== undefined && finishedAt !== undefined) stats.ran(Date.parse(finishedAt) - Date.parse(startedAt))
      if (error !== undefined && finishedAt !== undefined) stats.failed(error.message, Date.parse(finishedAt))
    }
    return names
  }
}

async function findLatest (client: Services['client']): Promise<StoredSnapshot[]> {
  const found: StoredSnapshot[] = []
  for (const state of STATES) {
    const { tasks } = await client.ask((engine) => engine.list!({ state, limit: PAGE, scan: PAGE }))
    found.push(...tasks)
  }
  return found
}
