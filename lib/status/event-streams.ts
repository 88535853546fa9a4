import type { ServerResponse } from 'node:http'
import { PassThrough, type Readable, finished } from 'node:stream'
import type { AppTasks } from '../app/app-tasks.js'
import { type News, TaskFeed } from './task-feed.js'

/** How often a stream writes a comment, so that no proxy cuts a quiet stream off. */
const HEARTBEAT_MS = 15_000

/** How long clients may take to read the rest of their streams when the app closes. */
const CLOSE_GRACE_MS = 100

/** The open server-sent event streams of an app, each about one task. */
export class EventStreams {
  readonly #tasks: AppTasks
  /** The open streams with their responses. A stream stays open until its response is over. */
  readonly #open = new Map<PassThrough, ServerResponse>()
  /** The feeds of followed tasks, by id. */
  readonly #feeds = new Map<string, TaskFeed>()
  #closed = false
  #cutTimer: NodeJS.Timeout | undefined

  constructor (tasks: AppTasks) {
    this.#tasks = tasks
  }

  /** A stream of the changes of a task, from its present state to its final state. Undefined when there is no such task. */
  async open (id: string, response: ServerResponse): Promise<Readable | undefined> {
    let update = (): void => {}
    const feed = this.#feedOf(id)
    const leave = feed.read(() => { update() })
    try {
      await feed.opened
    } catch (error) {
      leave()
      throw error
    }
    if (feed.news === undefined) {
      leave()
      return
    }
    const stream = new PassThrough()
    update = createUpdate(stream, feed, () => this.#closed)
    const heartbeat = setInterval(() => {
      if (!stream.writableEnded && !stream.writableNeedDrain) stream.write(': alive\n\n')
    }, HEARTBEAT_MS)
    stream.once('close', () => {
      leave()
      clearInterval(heartbeat)
    })
    this.#track(stream, response)
    update()
    return stream
  }

  /** Ends all streams. A stream that is opened later ends after its first event. */
  close (): void {
    this.#closed = true
    for (const stream of this.#open.keys()) stream.end()
    this.#cutSoon()
  }

  #feedOf (id: string): TaskFeed {
    let feed = this.#feeds.get(id)
    if (feed === undefined) this.#feeds.set(id, feed = new TaskFeed(this.#tasks, id, () => { this.#feeds.delete(id) }))
    return feed
  }

  /** Keeps a stream until its response is over. A hook of the app may refuse the stream, and a client may stop reading. */
  #track (stream: PassThrough, response: ServerResponse): void {
    this.#open.set(stream, response)
    finished(response, () => {
      this.#open.delete(stream)
      stream.destroy()
      if (this.#open.size === 0) clearTimeout(this.#cutTimer)
    })
    if (this.#closed) this.#cutSoon()
  }

  /** Cuts the responses after a grace time. A client that does not read would hold up close. */
  #cutSoon (): void {
    clearTimeout(this.#cutTimer)
    if (this.#open.size === 0) return
    this.#cutTimer = setTimeout(() => {
      for (const response of this.#open.values()) response.destroy()
    }, CLOSE_GRACE_MS)
  }
}

/** Makes the function that writes the news since its last call to the stream. */
function createUpdate (stream: PassThrough, feed: TaskFeed, isClosed: () => boolean): () => void {
  let sent: News | undefined

  const send = (event: 'progress' | 'state', { data }: News): void => {
    stream.write(`event: ${event}\ndata: ${data}\n\n`)
  }
  const update = (): void => {
    // A slow client gets the latest news when its stream drains.
    if (stream.writableEnded || stream.destroyed || stream.writableNeedDrain) return
    const { news } = feed
    if (news === undefined) {
      // The task has ended in another process, and no snapshot is kept.
      stream.end()
      return
    }
    const before = sent
    sent = news
    if (before !== undefined && news.progress !== before.progress) send('progress', news)
    if (news.state !== before?.state) send('state', news)
    if (news.isFinal || isClosed()) stream.end()
  }
  stream.on('drain', update)
  return update
}
