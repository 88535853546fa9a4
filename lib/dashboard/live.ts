import type { ServerResponse } from 'node:http'
import type { PassThrough, Readable } from 'node:stream'
import type { AppTasks } from '../app/app-tasks.js'
import { OpenStreams } from '../status/open-streams.js'
import { Feed, type Viewer } from './feed.js'
import { Overview } from './overview.js'
import { type Recording, recordingOf } from './recording.js'
import { Store } from './store.js'
import type { View, ViewData } from './view-data.js'

/** The shortest time between two updates of a viewer. */
const UPDATE_MS = 250

/** How many streams there may be. */
const MAX_STREAMS = 20

/** The open streams of a dashboard. */
export class Live {
  readonly #tasks: AppTasks
  readonly #script: string
  readonly #streams = new OpenStreams()
  readonly #recording: Recording
  readonly #store: Store
  readonly #feeds = new Map<string, Feed>()
  #timer: NodeJS.Timeout | undefined
  #nextAt = 0
  #ends: Array<() => void> = []

  /** `script`: the name of the script that fits this server. */
  constructor (tasks: AppTasks, script: string) {
    this.#tasks = tasks
    this.#script = script
    this.#recording = recordingOf(tasks.services)
    this.#store = new Store(() => { this.#lookSoon() })
  }

  get isFull (): boolean {
    return this.#streams.isClosed || this.#streams.size >= MAX_STREAMS
  }

  /** A stream of a view. Undefined when there is no such view. */
  open (view: string, canAct: boolean, response: ServerResponse): Readable | undefined {
    if (this.#ends.length === 0) this.#begin()
    const key = JSON.stringify([view, canAct])
    const feed = this.#feeds.get(key) ?? this.#createFeed(view, canAct)
    if (feed === undefined) {
      if (this.#feeds.size === 0) this.#end()
      return undefined
    }
    this.#feeds.set(key, feed)
    const stream = this.#streams.open(response)
    const viewer = createViewer(stream, feed)
    feed.viewers.add(viewer)
    stream.once('close', () => {
      feed.viewers.delete(viewer)
      if (feed.viewers.size > 0) return
      this.#feeds.delete(key)
      feed.end()
      if (this.#feeds.size === 0) this.#end()
    })
    return stream
  }

  /** Ends all streams, and the recording. */
  close (): void {
    this.#streams.close()
    this.#recording.end()
  }

  #createFeed (view: string, canAct: boolean): Feed | undefined {
    const { recorder, sampler } = this.#recording.current!
    const shown = createView(view, { tasks: this.#tasks, recorder, sampler, store: this.#store })
    return shown && new Feed(shown, canAct, (entries, canAct) => { this.#writeCommon(entries, canAct) })
  }

  #writeCommon (entries: Map<string, string>, canAct: boolean): void {
    const { since } = this.#recording.current!
    entries.set('page', JSON.stringify({ actions: canAct, since, script: this.#script }))
    const { failure } = this.#store
    if (failure !== undefined) entries.set('store', JSON.stringify(failure))
  }

  #begin (): void {
    const onChange = (): void => {
      this.#store.change()
      this.#lookSoon()
    }
    const { client } = this.#tasks.services
    this.#ends = [this.#recording.look(onChange)]
    if (client.engine.watchAll !== undefined) this.#ends.push(client.engine.watchAll(onChange))
  }

  #end (): void {
    for (const end of this.#ends) end()
    this.#ends = []
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #lookSoon (): void {
    if (this.#timer !== undefined || this.#feeds.size === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#nextAt = performance.now() + UPDATE_MS
      for (const feed of this.#feeds.values()) feed.look()
    }, Math.max(1, this.#nextAt - performance.now())).unref()
  }
}

function createView (view: string, data: ViewData): View | undefined {
  return view === 'overview' ? new Overview(data) : undefined
}

/** A viewer that reads slowly misses changes, and gets the whole view again when it has read the rest. */
function createViewer (stream: PassThrough, feed: Feed): Viewer {
  let isBehind = false
  stream.write(feed.whole())
  stream.on('drain', () => {
    if (!isBehind || stream.writableEnded) return
    isBehind = false
    stream.write(feed.whole())
  })
  return {
    update (feed, changes) {
      if (stream.writableEnded || stream.destroyed) return
      if (stream.writableNeedDrain) isBehind = true
      else stream.write(changes)
    }
  }
}
