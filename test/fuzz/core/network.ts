import http2 from 'node:http2'
import type { FastifyInstance } from 'fastify'
import { RawClient } from '../../support/raw-client.js'
import { injected, overHttp1, overHttp2, portOf } from '../../support/transports.js'
import { turnUntil } from '../../support/turns.js'
import type { Plan } from './plan.js'

/** What a client knows of its request. */
export interface Exchange {
  /** The status of a reply that was whole, or undefined. */
  readonly status: Promise<number | undefined>
  abort (): void
}

export interface Network {
  create: typeof overHttp1.create
  listen (app: FastifyInstance): Promise<unknown>
  /** Sends a request whose whole reply has the mark. */
  send (app: FastifyInstance, connection: number, url: string, mark: string): Promise<Exchange>
  close (): void
}

/** To ask for the port would have a server listen that was closed. */
function assertListening ({ server }: FastifyInstance): void {
  if (!server.listening) throw new Error('nobody listens')
}

/** Requests of one connection are pipelined. */
function http1Network (): Network {
  const connections = new Map<number, { client: Promise<RawClient>, requests: number }>()
  return {
    create: overHttp1.create,
    listen: portOf,
    async send (app, number, url, mark) {
      assertListening(app)
      const connection = connections.get(number) ?? { client: RawClient.connect(app), requests: 0 }
      connections.set(number, connection)
      const client = await connection.client
      const index = ++connection.requests
      client.send('GET', url)
      const reply = (): string => client.received.split('HTTP/1.1 ')[index] ?? ''
      const read = async (): Promise<number | undefined> => {
        await turnUntil(() => reply().includes(mark) || client.socket.closed)
        return reply().includes(mark) ? parseInt(reply()) : undefined
      }
      // A connection that has ended is not used again.
      client.socket.once('close', () => { if (connections.get(number) === connection) connections.delete(number) })
      return { status: read(), abort: () => { client.socket.destroy() } }
    },
    close () {
      for (const { client } of connections.values()) client.then(({ socket }) => { socket.destroy() }, () => {})
    }
  }
}

function http2Network (): Network {
  const sessions = new Map<number, http2.ClientHttp2Session>()
  return {
    create: overHttp2.create,
    listen: portOf,
    async send (app, number, url, mark) {
      assertListening(app)
      let session = sessions.get(number)
      if (session === undefined || session.closed || session.destroyed) {
        session = http2.connect(`http://127.0.0.1:${await portOf(app)}`)
        session.on('error', () => {})
        sessions.set(number, session)
      }
      const stream = session.request({ ':path': url })
      let status: number | undefined
      let text = ''
      stream.on('response', (headers) => { status = headers[':status'] })
      stream.setEncoding('utf8').on('data', (chunk) => { text += chunk })
      stream.on('error', () => {})
      const closed = new Promise<number | undefined>((resolve) => {
        stream.once('close', () => { resolve(text.includes(mark) ? status : undefined) })
      })
      return { status: closed, abort: () => { stream.close(http2.constants.NGHTTP2_CANCEL) } }
    },
    close () {
      for (const session of sessions.values()) session.destroy()
    }
  }
}

function noNetwork (): Network {
  return {
    create: injected.create,
    async listen () {},
    async send (app, number, url, mark) {
      const controller = new AbortController()
      const status = app.inject({ url, signal: controller.signal })
        .then(({ statusCode, body }) => body.includes(mark) ? statusCode : undefined, () => undefined)
      return { status, abort: () => { controller.abort() } }
    },
    close () {}
  }
}

export const networks: Record<Plan['transport'], () => Network> = { inject: noNetwork, http1: http1Network, http2: http2Network }
