import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net'

/** A wire to a server on this machine, which notes what goes over it, piece by piece. */
export class Wire {
  /** What the clients have sent: one entry for each time that something came. */
  readonly sent: string[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** The clients' ends of the connections. */
  readonly #clients = new Set<Socket>()

  private constructor (port: number) {
    this.#server = createServer({ noDelay: true }, (client) => {
      const server = connect({ host: '127.0.0.1', port, noDelay: true })
      client.on('data', (data) => { this.sent.push(data.toString('latin1')) })
      client.pipe(server).pipe(client)
      this.#clients.add(client)
      client.on('close', () => { this.#clients.delete(client) })
      for (const socket of [client, server]) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => { client.destroy(); server.destroy() })
      }
    })
  }

  static async to (port: number): Promise<Wire> {
    const wire = new Wire(port)
    wire.#server.listen(0, '127.0.0.1')
    await once(wire.#server, 'listening')
    return wire
  }

  get port (): number {
    return (this.#server.address() as AddressInfo).port
  }

  get connections (): number {
    return this.#clients.size
  }

  /** Breaks the present connections. */
  reset (): void {
    for (const client of this.#clients) client.resetAndDestroy()
  }

  /** Loses what goes over the present connections from now on, as a network does that forgets them. Later ones work. */
  silence (): void {
    for (const socket of this.#sockets) {
      socket.unpipe()
      socket.removeAllListeners('data').resume()
    }
  }

  close (): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Closes the wire. The returned function opens it again, at the same port. */
  cut (): () => Promise<void> {
    const { port } = this
    this.close()
    return async () => {
      this.#server.listen(port, '127.0.0.1')
      await once(this.#server, 'listening')
    }
  }
}
