import type { ServerResponse } from 'node:http'
import { PassThrough, finished } from 'node:stream'

/** How often a stream writes a comment, so that no proxy cuts a quiet stream off. */
const HEARTBEAT_MS = 15_000

/** How long clients may take to read the rest of their streams when the app closes. */
const CLOSE_GRACE_MS = 100

/** The open server-sent event streams of a plugin. */
export class OpenStreams {
  /** The open streams with their responses. A stream stays open until its response is over. */
  readonly #open = new Map<PassThrough, ServerResponse>()
  #closed = false
  #cutTimer: NodeJS.Timeout | undefined

  get size (): number {
    return this.#open.size
  }

  get isClosed (): boolean {
    return this.#closed
  }

  /** Opens a stream. A hook of the app may refuse it, and a client may stop reading: it is kept until its response is over. */
  open (response: ServerResponse): PassThrough {
    const stream = new PassThrough()
    const heartbeat = setInterval(() => {
      if (!stream.writableEnded && !stream.writableNeedDrain) stream.write(': alive\n\n')
    }, HEARTBEAT_MS)
    stream.once('close', () => { clearInterval(heartbeat) })
    this.#open.set(stream, response)
    finished(response, () => {
      this.#open.delete(stream)
      stream.destroy()
      if (this.#open.size === 0) clearTimeout(this.#cutTimer)
    })
    if (this.#closed) this.#cutSoon()
    return stream
  }

  /** Ends all streams. Whoever opens a stream later has to end it. */
  close (): void {
    this.#closed = true
    for (const stream of this.#open.keys()) stream.end()
    this.#cutSoon()
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
