import type { Entry, PageEntry, Update } from '../view.js'
import { base, reloadFor } from './base.js'
import { setServerTime } from './clock.js'
import { type Entries, sharedOf } from './entries.js'
import { readEvents, type ServerEvent } from './server-events.js'
import { refusal } from './refusal.js'

const FIRST_DELAY_MS = 500
const LONGEST_DELAY_MS = 5000
/** A reply that asks for a person is not asked for often. */
const REFUSED_DELAY_MS = 30_000
/** The server writes something every 15 seconds. */
const SILENCE_MS = 45_000

/** What ended a stream. */
interface Trouble {
  words: string
  /** Whether only the viewer can change it. */
  isRefused?: boolean
}

const isHidden = (): boolean => document.hidden || document.visibilityState === 'hidden'

/** The data of one view, kept as the server has it. There is one stream at a time, and none while the tab is hidden. */
export class LiveStream {
  status = 'connecting'
  isRefused = false
  /** Whether the entries are those of the view. */
  #hasView = false
  #entries: Entries = {}
  readonly #onChange: () => void
  #query = ''
  #abort = new AbortController()
  #wasLive = false

  constructor (onChange: () => void) {
    this.#onChange = onChange
    document.addEventListener('visibilitychange', this.retry)
    // A page in the cache of the browser for Back keeps no stream either.
    addEventListener('pagehide', () => { this.#stop('paused') })
    document.addEventListener('freeze', () => { this.#stop('paused') })
    document.addEventListener('resume', this.retry)
    addEventListener('pageshow', (event) => { if (event.persisted) this.retry() })
    addEventListener('online', this.retry)
  }

  /** What is known for the query: before its view has come, only what is true of all views. */
  read (query: string): { entries: Entries, hasView: boolean } {
    return query === this.#query ? { entries: this.#entries, hasView: this.#hasView } : { entries: sharedOf(this.#entries), hasView: false }
  }

  open (query: string): void {
    if (query === this.#query) return
    this.#query = query
    this.#entries = sharedOf(this.#entries)
    this.#hasView = false
    this.retry()
  }

  /** Begins anew, without waiting for the next try. */
  readonly retry = (): void => {
    if (isHidden()) this.#stop('paused: this tab is hidden')
    else this.#start()
  }

  #start (): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#wasLive = false
    // The view of another task list comes in a moment: no word of it.
    if (this.status !== 'live') this.#say('connecting')
    this.#keepOpen(this.#abort.signal)
  }

  #stop (words: string): void {
    this.#abort.abort()
    this.#say(words)
  }

  #say (status: string, isRefused = false): void {
    this.status = status
    this.isRefused = isRefused
    this.#onChange()
  }

  async #keepOpen (signal: AbortSignal): Promise<void> {
    let delay = FIRST_DELAY_MS
    while (!signal.aborted) {
      const { words, isRefused } = await this.#read(signal)
      if (signal.aborted) return
      this.#say(words, isRefused)
      if (this.#wasLive) delay = FIRST_DELAY_MS
      this.#wasLive = false
      // Tabs that lost the same server do not come back in the same moment.
      await new Promise((resolve) => setTimeout(resolve, isRefused === true ? REFUSED_DELAY_MS : delay * (1 + Math.random() / 4)))
      delay = Math.min(delay * 2, LONGEST_DELAY_MS)
    }
  }

  /** Reads one stream to its end. */
  async #read (signal: AbortSignal): Promise<Trouble> {
    const silence = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const listen = (): void => {
      clearTimeout(timer)
      timer = setTimeout(() => { silence.abort() }, SILENCE_MS)
    }
    try {
      listen()
      const response = await fetch(`${base}live?${this.#query}`, {
        headers: { accept: 'text/event-stream' },
        signal: AbortSignal.any([signal, silence.signal])
      })
      const refused = await refusal(response)
      if (refused !== undefined) return refused
      await readEvents(response.body as ReadableStream<Uint8Array>, listen, (event) => { if (!signal.aborted) this.#take(event) })
      return { words: 'not live: the connection has ended, trying again' }
    } catch {
      return { words: 'not live: the app does not answer, trying again' }
    } finally {
      clearTimeout(timer)
    }
  }

  #take ({ event, data }: ServerEvent): void {
    if (event !== 'view' && event !== 'change') return
    const { now, entries } = JSON.parse(data) as Update
    setServerTime(now)
    const next: Record<string, Entry> = event === 'view' ? {} : { ...this.#entries }
    for (const [key, entry] of Object.entries(entries)) {
      if (entry === null) delete next[key]
      else next[key] = entry
    }
    this.#entries = next
    if (event === 'view') this.#hasView = this.#wasLive = true
    if (entries['page'] != null) reloadFor((entries['page'] as PageEntry).script)
    this.#say('live')
  }
}
