import type { TaskState } from '../../types/index.js'
import { round } from './round.js'
import type { NameEntry, TaskKind } from './view.js'

/** How many of the latest attempts the typical duration is taken from. */
const MAX_DURATIONS = 101

/** The tasks of one name in this process since the recording began. */
export class NameStats {
  readonly counts: Record<TaskState, number> = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0, cancelled: 0, skipped: 0 }
  readonly name: string
  readonly kind: TaskKind
  readonly where: NameEntry['where']
  #durations: number[] = []
  #next = 0
  #slowestMs = 0
  #lastFailure: NameEntry['lastFailure']
  #text: string | undefined = undefined

  constructor (name: string, kind: TaskKind, where: NameEntry['where']) {
    this.name = name
    this.kind = kind
    this.where = where
  }

  count (state: TaskState, change: 1 | -1): void {
    this.counts[state] += change
    this.#text = undefined
  }

  ran (ms: number): void {
    this.#durations[this.#next++ % MAX_DURATIONS] = ms
    this.#slowestMs = Math.max(this.#slowestMs, ms)
    this.#text = undefined
  }

  failed (message: string, at: number): void {
    if (this.#lastFailure !== undefined && this.#lastFailure.at > at) return
    this.#lastFailure = { at, message }
    this.#text = undefined
  }

  get text (): string {
    return (this.#text ??= JSON.stringify(this.entry()))
  }

  /** `more`: further tasks of the name. */
  entry (more?: NameStats): NameEntry {
    const { name, kind } = this
    const counts = { ...this.counts }
    for (const state of Object.keys(counts) as TaskState[]) counts[state] += more?.counts[state] ?? 0
    return {
      name,
      kind,
      where: this.where,
      counts,
      ...(this.#durations.length > 0 && { typicalMs: round(median(this.#durations)), slowestMs: round(this.#slowestMs) }),
      ...(this.#lastFailure !== undefined && { lastFailure: this.#lastFailure })
    }
  }
}

export function median (values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]!
}
