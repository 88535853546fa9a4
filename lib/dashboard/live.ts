import { AsyncResource } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import type { AppTasks } from '../app/app-tasks.js'
import { OpenStreams } from '../status/open-streams.js'
import { type CreateView, type ViewQuery, readView } from './create-view.js'
import { Feed } from './feed.js'
import { type Recording, recordingOf } from './recording.js'
import type { ShowPayload } from './show-payload.js'
import { Store } from './store.js'
import { RESOURCE_OPTIONS } from '../task/task-life.js'
import { createViewer } from './viewer.js'

/** The shortest time between two updates of a viewer. */
const UPDATE_MS = 250

/** How often a store is asked that does not tell of its changes. */
const POLL_MS = 2000

/** How many streams there may be. */
const MAX_STREAMS = 20

/** The open streams of a dashboard. */
export class Live {
  readonly #tasks: AppTasks
  readonly #script: string
  readonly #showPayload: ShowPayload
  readonly #streams = new OpenStreams()
  readonly #recording: Recording
  /** What was recorded when the first stream opened. Another dashboard of the app may end the recording, as may close. */
  #current: Recording['current']
  readonly #store: Store
  readonly #feeds = new Map<string, Feed>()
  /** The async context of no request. Whatever is done for viewers must not count as work of the request that has changed something. */
  readonly #scope = new AsyncResource('BackgroundTasksDashboard', RESOURCE_OPTIONS)
  #timer: NodeJS.Timeout | undefined
  #nextAt = 0
  #ends: Array<() => void> = []

  /** `script`: the name of the script that fits this server. */
  constructor (tasks: AppTasks, script: string, showPayload: ShowPayload) {
    this.#tasks = tasks
    this.#script = script
    this.#showPayload = showPayload
    this.#recording = recordingOf(tasks.services)
    this.#store = new Store(() => {
      // A viewer that has nothing yet does not wait for the next update.
      for (const feed of this.#feeds.values()) feed.begin()
      this.#lookSoon()
    })
  }

  get isFull (): boolean {
    return this.#streams.isClosed || this.#streams.size >= MAX_STREAMS
  }

  /** A stream of a view. Undefined when there is no such view. */
  open (query: ViewQuery, canAct: boolean, response: ServerResponse): Readable | undefined {
    const view = readView(query)
    if (view === undefined) return undefined
    if (this.#feeds.size === 0) this.#scope.runInAsyncScope(() => { this.#begin() })
    const key = JSON.stringify([view.key, canAct])
    const feed = this.#feeds.get(key) ?? this.#createFeed(view.create, canAct)
    this.#feeds.set(key, feed)
    const stream = this.#streams.open(response)
    // The client learns at once that the stream is open.
    stream.write(': open\n\n')
    const viewer = createViewer(stream, feed)
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

  #createFeed (create: CreateView, canAct: boolean): Feed {
    const { recorder, sampler } = this.#current!
    const store = this.#store
    const view = create({
      tasks: this.#tasks, recorder, sampler, store, showPayload: this.#showPayload, lookAgain: () => { this.#lookSoon() }
    })
    return new Feed(view, canAct, {
      write: (entries) => { this.#writeCommon(entries, canAct) },
      get hasFailed () { return store.failure !== undefined }
    })
  }

  #writeCommon (entries: Map<string, string>, canAct: boolean): void {
    const { since } = this.#current!
    entries.set('page', JSON.stringify({ actions: canAct, since, script: this.#script }))
    const { failure } = this.#store
    if (failure !== undefined) entries.set('store', JSON.stringify(failure))
  }

  #begin (): void {
    const onChange = (): void => {
      this.#store.change()
      this.#lookSoon()
    }
    const { engine, isLocal } = this.#tasks.services.client
    this.#ends = [this.#recording.look(onChange)]
    this.#current = this.#recording.current
    if (engine.watchAll !== undefined) this.#ends.push(engine.watchAll(onChange))
    else if (!isLocal) this.#ends.push(poll(onChange))
  }

  #end (): void {
    for (const end of this.#ends) end()
    this.#ends = []
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #lookSoon (): void {
    if (this.#timer !== undefined || this.#feeds.size === 0) return
    const waitMs = Math.max(1, this.#nextAt - performance.now())
    this.#timer = this.#scope.runInAsyncScope(() => setTimeout(this.#look, waitMs).unref())
  }

  readonly #look = (): void => {
    this.#timer = undefined
    this.#nextAt = performance.now() + UPDATE_MS
    for (const feed of this.#feeds.values()) feed.look()
  }
}

function poll (onChange: () => void): () => void {
  const timer = setInterval(onChange, POLL_MS).unref()
  return () => { clearInterval(timer) }
}
