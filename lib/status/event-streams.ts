import type { ServerResponse } from 'node:http'
import type { PassThrough, Readable } from 'node:stream'
import type { AppTasks } from '../app/app-tasks.js'
import { OpenStreams } from './open-streams.js'
import { type News, TaskFeed } from './task-feed.js'

/** The open server-sent event streams of an app, each about one task. */
export class EventStreams {
  readonly #tasks: AppTasks
  readonly #open = new OpenStreams()
  /** The feeds of followed tasks, by id. */
  readonly #feeds = new Map<string, TaskFeed>()

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
    const stream = this.#open.open(response)
    update = createUpdate(stream, feed, () => this.#open.isClosed)
    stream.once('close', leave)
    update()
    return stream
  }

  /** Ends all streams. A stream that is opened later ends after its first event. */
  close (): void {
    this.#open.close()
  }

  #feedOf (id: string): TaskFeed {
    let feed = this.#feeds.get(id)
    if (feed === undefined) this.#feeds.set(id, feed = new TaskFeed(this.#tasks, id, () => { this.#feeds.delete(id) }))
    return feed
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
