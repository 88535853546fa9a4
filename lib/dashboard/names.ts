import { NameStats } from './name-stats.js'
import type { TaskKind } from './view.js'

/** How many names are kept. An app may make a name for each task. */
const MAX_NAMES = 200

/** The tasks of this process by name. */
export class Names {
  readonly #byName = new Map<string, NameStats>()
  readonly #runsStored: boolean

  constructor (runsStored: boolean) {
    this.#runsStored = runsStored
  }

  /** Finds or makes the statistics of a name. */
  enter (name: string, kind: TaskKind): NameStats {
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const isHere = this.#runsStored || kind === 'function' || kind === 'promise'
    const stats = new NameStats(name, kind, isHere ? 'here' : 'elsewhere')
    if (this.#byName.size === MAX_NAMES) this.#dropOne()
    this.#byName.set(name, stats)
    return stats
  }

  of (name: string): NameStats | undefined {
    return this.#byName.get(name)
  }

  all (): Iterable<NameStats> {
    return this.#byName.values()
  }

  /** Drops the oldest name that has no unfinished task, or else the oldest one. */
  #dropOne (): void {
    let dropped: string | undefined
    for (const { name, counts: { waiting, active, delayed } } of this.#byName.values()) {
      if (waiting + active + delayed > 0) continue
      dropped = name
      break
    }
    this.#byName.delete(dropped ?? this.#byName.keys().next().value!)
  }
}
