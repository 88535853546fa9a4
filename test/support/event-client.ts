import { once } from 'node:events'
import http from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { TaskSnapshot } from '../../index.js'
import { portOf } from './transports.js'

export interface Event {
  event: string
  data: TaskSnapshot
}

/** A client of server-sent events that takes them one at a time. */
export class EventClient {
  readonly response: http.IncomingMessage
  /** What has come besides events: comments. */
  readonly comments: string[] = []
  readonly #events: AsyncGenerator<Event, void, undefined>

  private constructor (response: http.IncomingMessage) {
    this.response = response
    // A connection that is cut is what some tests are about.
    response.on('error', () => {})
    this.#events = this.#read()
  }

  /** With `keepAlive` the connection would stay open after the stream, as that of a browser does. */
  static async open (app: FastifyInstance, url: string, { keepAlive = false, headers = {} } = {}): Promise<EventClient> {
    const agent = new http.Agent({ keepAlive })
    const request = http.get({ agent, path: url, headers, host: '127.0.0.1', port: await portOf(app) })
    const [response] = await once(request, 'response') as [http.IncomingMessage]
    return new EventClient(response)
  }

  /** The next event, or undefined at the end of the stream. */
  async next (): Promise<Event | undefined> {
    const { value } = await this.#events.next()
    return value ?? undefined
  }

  /** The events that are still to come, to the end of the stream. */
  async rest (): Promise<Event[]> {
    const events: Event[] = []
    for await (const event of this.#events) events.push(event)
    return events
  }

  hangUp (): void {
    this.response.destroy()
  }

  async * #read (): AsyncGenerator<Event, void, undefined> {
    // A long event comes in hundreds of chunks, which are put together once.
    let parts: string[] = []
    this.response.setEncoding('utf8')
    for await (const chunk of this.response as AsyncIterable<string>) {
      parts.push(chunk)
      if (!((parts.at(-2)?.at(-1) ?? '') + chunk).includes('\n\n')) continue
      const messages = parts.join('').split('\n\n')
      parts = [messages.pop() ?? '']
      for (const message of messages) {
        if (message.startsWith(':')) this.comments.push(message)
        else yield parse(message)
      }
    }
    const text = parts.join('')
    if (text !== '') throw new Error(`the stream ended in the middle of an event: ${text}`)
  }
}

function parse (message: string): Event {
  const [, event = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(message) ?? []
  if (event === '') throw new Error(`not an event: ${message}`)
  return { event, data: JSON.parse(data) }
}
