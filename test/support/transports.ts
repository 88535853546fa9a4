import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'

export interface Call {
  readonly method?: 'GET' | 'HEAD' | 'POST'
  readonly url?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** What a client saw: a whole reply, or the error that cut it off. */
export type Answer = { readonly status: number, readonly body: string } | { readonly error: Error }

type ResponseHeaders = http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader

/** A way to reach an app. */
export interface Transport {
  readonly name: string
  create (options?: FastifyServerOptions): FastifyInstance
  /** Sends one request on a connection that stays open after it. */
  call (app: FastifyInstance, call: Call): Promise<Answer>
}

// Clients hold their connections open; without this closing the app would wait for them.
const defaults = { forceCloseConnections: true } as const

/** Starts to listen, once, and gives the port. */
export async function portOf (app: FastifyInstance): Promise<number> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

export const overHttp1: Transport = {
  name: 'HTTP/1',
  create: (options) => fastify({ ...defaults, ...options }),
  async call (app, { method = 'GET', url = '/', headers = {}, body }) {
    const agent = new http.Agent({ keepAlive: true })
    const request = http.request({ agent, method, path: url, headers, host: '127.0.0.1', port: await portOf(app) })
    request.end(body)
    try {
      const [response] = await once(request, 'response') as [http.IncomingMessage]
      return { status: response.statusCode ?? 0, body: await readAll(response) }
    } catch (error) {
      return { error: error as Error }
    }
  }
}

export const overHttp2: Transport = {
  name: 'HTTP/2',
  create (options) {
    const app = fastify({ ...defaults, ...options, http2: true } as FastifyServerOptions) as FastifyInstance
    if (!('closeHttp2Sessions' in app.server)) closeSessions(app)
    return app
  },
  async call (app, { method = 'GET', url = '/', headers = {}, body }) {
    const session = http2.connect(`http://127.0.0.1:${await portOf(app)}`)
    session.on('error', () => {})
    const stream = session.request({ ':method': method, ':path': url, ...headers }, { endStream: body === undefined })
    if (body !== undefined) stream.end(body)
    // A server that destroys a stream without an error leaves the client with an end and no reply.
    const closed = once(stream, 'close').then(() => { throw new Error('the stream was closed') })
    closed.catch(() => {})
    try {
      const [response] = await Promise.race([once(stream, 'response'), closed]) as [ResponseHeaders]
      return { status: response[':status'] ?? 0, body: await readAll(stream) }
    } catch (error) {
      return { error: error as Error }
    }
  }
}

/** An older Fastify waits at its close for sessions that clients hold open. */
function closeSessions (app: FastifyInstance): void {
  const sessions = new Set<http2.Http2Session>()
  app.server.on('session', (session: http2.Http2Session) => { sessions.add(session) })
  app.addHook('preClose', async () => { for (const session of sessions) session.close() })
}

export const injected: Transport = {
  name: 'inject',
  create: (options) => fastify({ ...defaults, ...options }),
  async call (app, { method = 'GET', url = '/', headers = {}, body }) {
    try {
      const response = await app.inject({ method, url, headers, ...(body !== undefined && { body }) })
      return { status: response.statusCode, body: response.body }
    } catch (error) {
      return { error: error as Error }
    }
  }
}

export const transports: readonly Transport[] = [overHttp1, overHttp2, injected]

async function readAll (stream: NodeJS.ReadableStream & { destroyed?: boolean }): Promise<string> {
  let body = ''
  for await (const chunk of stream) body += String(chunk)
  return body
}
