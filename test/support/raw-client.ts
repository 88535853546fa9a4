import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { portOf } from './transports.js'

/** A TCP connection on which a test says exactly which bytes go out, and when. */
export class RawClient {
  readonly socket: Socket
  /** What the server has sent so far. */
  received = ''

  private constructor (socket: Socket) {
    this.socket = socket
    // A connection reset by the server, or by the test itself, is what some tests are about.
    socket.on('error', () => {})
    socket.on('data', (chunk) => { this.received += chunk.toString('latin1') })
  }

  static async connect (app: FastifyInstance): Promise<RawClient> {
    const socket = connect(await portOf(app), '127.0.0.1')
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  send (method: string, url: string, headers: Record<string, string | number> = {}, body: string | Buffer = ''): void {
    const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    this.socket.write(`${method} ${url} HTTP/1.1\r\n${lines.join('')}\r\n`)
    this.socket.write(body)
  }

  /** Resolves when `text` has been received, `times` times. */
  async receive (text: string, times = 1): Promise<void> {
    while (this.received.split(text).length <= times) await once(this.socket, 'data')
  }

  /** Resolves when the connection has ended, whoever closed it. */
  async closed (): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close')
  }
}
