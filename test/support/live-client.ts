import { once } from 'node:events'
import http from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type {
  CountsEntry, FoundEntry, ListEntry, ListedEntry, NameEntry, PageEntry, RatesEntry, RequestEntry, StoreEntry, TaskEntry, Update
} from '../../lib/dashboard/view.js'
import { portOf } from './transports.js'

/** The entries of a view by key. */
export interface Entries {
  page?: PageEntry
  store?: StoreEntry
  counts?: CountsEntry
  rates?: RatesEntry
  list?: ListEntry
  task?: TaskEntry
  found?: FoundEntry
  request?: RequestEntry
  [name: `name:${string}`]: NameEntry
  [request: `request:${number}`]: RequestEntry
  [task: `task:${string}`]: ListedEntry
}

interface LiveEvent {
  event: 'view' | 'change'
  update: Update
  /** The data as it came. */
  text: string
  /** When it came, on the monotonic clock. */
  at: number
}

const DEADLINE_MS = 20_000

/** A viewer of a dashboard, which puts the view together as the page does. */
export class LiveClient {
  readonly response: http.IncomingMessage
  readonly events: LiveEvent[] = []
  readonly comments: string[] = []
  entries: Entries = {}
  isOver = false
  #text = ''
  readonly #waiting = new Set<() => void>()

  private constructor (response: http.IncomingMessage) {
    this.response = response
    response.setEncoding('utf8')
    response.on('error', () => {})
    response.on('data', (chunk: string) => { this.#read(chunk) })
    response.once('close', () => {
      this.isOver = true
      this.#tell()
    })
  }

  /** `path`: the path with its query, such as `/tasks/live?view=overview`. The client hangs up when the test is over. */
  static async open (t: Test, app: FastifyInstance, path: string, headers: http.OutgoingHttpHeaders = {}): Promise<LiveClient> {
    const request = http.get({ agent: false, path, headers, host: '127.0.0.1', port: await portOf(app) })
    const [response] = await once(request, 'response') as [http.IncomingMessage]
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
    const client = new LiveClient(response)
    t.teardown(() => { client.hangUp() })
    return client
  }

  /** Resolves to the entries once they are as wanted. Rejects when the stream ends first, and after a long time. */
  async until (isWanted: (entries: Entries) => unknown): Promise<Entries> {
    const timer = setTimeout(() => { this.hangUp() }, DEADLINE_MS)
    try {
      while (!isWanted(this.entries)) {
        if (this.isOver) throw new Error(`the stream has ended, with ${JSON.stringify(this.entries)}`)
        await this.next()
      }
      return this.entries
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resolves when the stream has said something, or has ended. */
  next (): Promise<void> {
    return new Promise((resolve) => { this.#waiting.add(resolve) })
  }

  /** Resolves to the entries of the first event, which has them all. */
  async whole (): Promise<Entries> {
    return await this.until(() => this.events.length > 0)
  }

  async end (): Promise<void> {
    while (!this.isOver) await this.next()
  }

  hangUp (): void {
    this.response.destroy()
  }

  #read (chunk: string): void {
    this.#text += chunk
    const messages = this.#text.split('\n\n')
    this.#text = messages.pop()!
    for (const message of messages) this.#take(message)
    this.#tell()
  }

  #take (message: string): void {
    if (message.startsWith(':')) {
      this.comments.push(message)
      return
    }
    const [, event, text = ''] = /^event: (view|change)\ndata: (.*)$/.exec(message) ?? []
    if (event === undefined) throw new Error(`not an event: ${message}`)
    const update: Update = JSON.parse(text)
    this.events.push({ event: event as LiveEvent['event'], update, text, at: performance.now() })
    const entries: Record<string, any> = event === 'view' ? {} : { ...this.entries }
    for (const [key, entry] of Object.entries(update.entries)) {
      if (entry === null) delete entries[key]
      else entries[key] = entry
    }
    this.entries = entries
  }

  #tell (): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}
