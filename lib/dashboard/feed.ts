import type { View } from './view-data.js'

/** How long a view may wait for the answers of the store before it begins without them. */
const PATIENCE_MS = 1000

/** A viewer of a feed. */
export interface Viewer {
  /** Takes an event with changes. A viewer that has not begun gets the whole view. */
  update (changes: string | undefined): void
}

/** The entries that all views have. */
export interface CommonEntries {
  write (entries: Map<string, string>): void
  /** Whether the store does not answer. */
  readonly hasFailed: boolean
}

/** A view as viewers get it who may do the same. Each change is found once for all of them. */
export class Feed {
  readonly viewers = new Set<Viewer>()
  readonly #view: View
  readonly #canAct: boolean
  readonly #common: CommonEntries
  readonly #patientUntil = performance.now() + PATIENCE_MS
  /** Undefined before the view has begun. */
  #entries: Map<string, string> | undefined = undefined

  constructor (view: View, canAct: boolean, common: CommonEntries) {
    this.#view = view
    this.#canAct = canAct
    this.#common = common
    this.begin()
  }

  /** Sends the whole view to all viewers once it can begin. */
  begin (): void {
    if (this.#entries === undefined) this.look()
  }

  /** The whole view, as it was when it was last looked at. Undefined before it has begun. */
  whole (): string | undefined {
    return this.#entries && toEvent('view', this.#entries)
  }

  /** Looks for changes, and sends them. */
  look (): void {
    const before = this.#entries
    if (before === undefined && !this.#canBegin) return
    const entries = this.#entries = this.#write()
    const changes = before === undefined ? undefined : changesOf(before, entries)
    if (changes?.size === 0) return
    const event = changes && toEvent('change', changes)
    for (const viewer of this.viewers) viewer.update(event)
  }

  end (): void {
    this.#view.end()
  }

  get #canBegin (): boolean {
    return this.#view.questions.every((question) => question?.isAnswered !== false) || this.#common.hasFailed ||
      performance.now() >= this.#patientUntil
  }

  #write (): Map<string, string> {
    const entries = new Map<string, string>()
    this.#common.write(entries)
    this.#view.write(entries, this.#canAct)
    return entries
  }
}

function changesOf (before: ReadonlyMap<string, string>, entries: ReadonlyMap<string, string>): Map<string, string> {
  const changes = new Map<string, string>()
  for (const [key, text] of entries) {
    if (before.get(key) !== text) changes.set(key, text)
  }
  for (const key of before.keys()) {
    if (!entries.has(key)) changes.set(key, 'null')
  }
  return changes
}

/** A server-sent event. JSON has no line break, so its data is one line, also for those who take U+2028 for a line break. */
function toEvent (event: 'view' | 'change', entries: Map<string, string>): string {
  const texts = Array.from(entries, ([key, text]) => `${JSON.stringify(key)}:${text}`)
  const data = `{"now":${Date.now()},"entries":{${texts.join(',')}}}`.replace(/[\u2028\u2029]/g, escapeSeparator)
  return `event: ${event}\ndata: ${data}\n\n`
}

function escapeSeparator (separator: string): string {
  return separator === '\u2028' ? '\\u2028' : '\\u2029'
}
