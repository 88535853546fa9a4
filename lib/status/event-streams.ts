import type { ServerResponse } from 'node:http'
import { PassThrough, type Readable, finished } from 'node:stream'
import type { TaskSnapshot } from '../../types/index.js'
import type { AppTasks } from '../app/app-tasks.js'
import { FollowedTask } from './followed-task.js'
import { isFinal } from '../base/snapshot.js'

/** How often a stream on which nothing happens says that it is alive, so that no proxy cuts it off. */
const HEARTBEAT_MS = 15_000

/** How long clients may take to read the rest of their streams once the app closes. */
const CLOSE_GRACE_MS = 100

/** The open server-sent event streams of an app, each about one task. */
export class EventStreams {
  readonly #tasks: AppTasks
  /** With the responses they are sent by, until these are over. */
  readonly #open = new Map<PassThrough, ServerResponse>()
  #closed = false
  #cutTimer: NodeJS.Timeout | undefined

  constructor (tasks: AppTasks) {
    this.#tasks = tasks
  }

  /** A stream of the task's changes, from its present state to its final one; undefined when there is no such task. */
  async open (id: string, response: ServerResponse): Promise<Readable | undefined> {
    let update = (): void => {}
    // From before the first look, so that no change is missed.
    const task = new FollowedTask(this.#tasks, id, () => { update() })
    try {
      if (await task.get() === undefined) {
        task.end()
        return
      }
    } catch (error) {
      task.end()
      throw error
    }
    const stream = new PassThrough()
    update = createUpdate(stream, task, () => this.#closed)
    const heartbeat = setInterval(() => {
      if (!stream.writableEnded && !stream.writableNeedDrain) stream.write(': alive\n\n')
    }, HEARTBEAT_MS)
    stream.once('close', () => {
      task.end()
      clearInterval(heartbeat)
    })
    this.#track(stream, response)
    update()
    return stream
  }

  /** Ends all streams, and those opened from now on after their first event. */
  close (): void {
    this.#closed = true
    for (const stream of this.#open.keys()) stream.end()
    this.#cutSoon()
  }

  /** An app's own hook may refuse the stream, and a client may stop reading: only the response tells when it is over. */
  #track (stream: PassThrough, response: ServerResponse): void {
    this.#open.set(stream, response)
    finished(response, () => {
      this.#open.delete(stream)
      stream.destroy()
      if (this.#open.size === 0) clearTimeout(this.#cutTimer)
    })
    if (this.#closed) this.#cutSoon()
  }

  /** A client that does not read would hold up the end. */
  #cutSoon (): void {
    clearTimeout(this.#cutTimer)
    if (this.#open.size === 0) return
    this.#cutTimer = setTimeout(() => {
      for (const response of this.#open.values()) response.destroy()
    }, CLOSE_GRACE_MS)
  }
}

/** Makes the function that looks at the task and writes to the stream what has changed. */
function createUpdate (stream: PassThrough, task: FollowedTask, isClosed: () => boolean): () => void {
  let sent: TaskSnapshot | undefined
  // Changes that come while a snapshot is on its way, or the client is slow, make one more look at the end.
  let busy = false
  let changed = false

  const send = (event: 'progress' | 'state', snapshot: TaskSnapshot): void => {
    stream.write(`event: ${event}\ndata: ${JSON.stringify(snapshot)}\n\n`)
  }
  const look = async (): Promise<void> => {
    const snapshot = await task.get()
    if (stream.writableEnded || stream.destroyed) return
    if (snapshot === undefined) {
      // It has ended elsewhere, and nothing is kept of it.
      stream.end()
      return
    }
    const before = sent
    sent = structuredClone(snapshot)
    if (before !== undefined && JSON.stringify(snapshot.progress) !== JSON.stringify(before.progress)) send('progress', snapshot)
    if (snapshot.state !== before?.state) send('state', snapshot)
    if (isFinal(snapshot.state) || isClosed()) stream.end()
  }
  const update = (): void => {
    changed = true
    if (busy || stream.writableNeedDrain) return
    busy = true
    changed = false
    look().catch((error) => { stream.destroy(error) }).finally(() => {
      busy = false
      if (changed) update()
    })
  }
  stream.on('drain', () => { if (changed) update() })
  return update
}
