import { once } from 'node:events'
import { get } from 'node:http'
import type { Timeline } from './timeline.js'

function startClock (): () => string {
  const start = performance.now()
  return () => `${Math.round(performance.now() - start)} ms`
}

/** An HTTP client that tells the timeline what it gets. */
export class Client {
  readonly #baseUrl: string
  readonly #timeline: Timeline

  constructor (baseUrl: string, timeline: Timeline) {
    this.#baseUrl = baseUrl
    this.#timeline = timeline
  }

  async send (path: string, init: RequestInit = {}): Promise<Response> {
    const clock = startClock()
    const { method = 'GET' } = init
    const response = await fetch(this.#baseUrl + path, init)
    this.#timeline.add(`client: ${method} ${path} -> ${response.status} after ${clock()}`)
    return response
  }

  /** Sends a request and does not wait for its reply. Not by fetch, which would keep a connection in its place. */
  async hangUp (path: string, moment: Promise<void>): Promise<void> {
    const clock = startClock()
    const request = get(this.#baseUrl + path, { agent: false })
    const failed = once(request, 'response').then(() => { throw new Error(`${path} has replied`) }, () => {})
    await moment
    request.destroy()
    await failed
    this.#timeline.add(`client: GET ${path} -> hung up after ${clock()}, without a reply`)
  }

  postJson (path: string, body: object): Promise<Response> {
    const headers = { 'content-type': 'application/json' }
    return this.send(path, { method: 'POST', headers, body: JSON.stringify(body) })
  }

  postFile (path: string, body: Buffer<ArrayBuffer>): Promise<Response> {
    const headers = { 'content-type': 'application/octet-stream' }
    return this.send(path, { method: 'POST', headers, body })
  }
}
