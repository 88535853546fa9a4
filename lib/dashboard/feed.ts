import type { View } from './view-data.js'

/** A viewer of a feed. */
export interface Viewer {
  /** Sends the changes, or the whole view to a viewer that is behind. */
  update (feed: Feed, changes: string): void
}

/** A view as viewers get it who may do the same. Each change is found once for all of them. */
export class Feed {
  readonly viewers = new Set<Viewer>()
  readonly #view: View
  readonly #canAct: boolean
  readonly #common: (entries: Map<string, string>, canAct: boolean) => void
  #entries = new Map<string, string>()

  /** `common`: writes the entries that all views have. */
  constructor (view: View, canAct: boolean, common: (entries: Map<string, string>, canAct: boolean) => void) {
    this.#view = view
    this.#canAct = canAct
    this.#common = common
    this.#entries = this.#write()
  }

  /** The whole view, as it was when it was last looked at. */
  whole (): string {
    return toEvent('view', this.#entries)
  }

  /** Looks for changes, and sends them. */
  look (): void {
    const before = this.#entries
    const entries = this.#entries = this.#write()
    const changes = new Map<string, string>()
    for (const [key, text] of entries) {
      if (before.get(key) !== text) changes.set(key, text)
    }
    for (const key of before.keys()) {
      if (!entries.has(key)) changes.set(key, 'null')
    }
    if (changes.size === 0) return
    const event = toEvent('change', changes)
    for (const viewer of this.viewers) viewer.update(this, event)
  }

  end (): void {
    this.#view.end()
  }

  #write (): Map<string, string> {
    const entries = new Map<string, string>()
    this.#common(entries, this.#canAct)
    this.#view.write(entries, this.#canAct)
    return entries
  }
}

/** A server-sent event. JSON has no line break, so its data is one line. */
function toEvent (event: 'view' | 'change', entries: Map<string, string>): string {
  const texts = Array.from(entries, ([key, text]) => `${JSON.stringify(key)}:${text}`)
  return `event: ${event}\ndata: {"now":${Date.now()},"entries":{${texts.join(',')}}}\n\n`
}
