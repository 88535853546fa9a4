import { once } from 'node:events'
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net'

/** A name on the loopback that leads new connections to one server or another, as DNS does: those that are open stay. */
export class MovingName {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor (server: Server) {
    this.#server = server
  }

  static async start (target: { port: number }): Promise<MovingName> {
    const server = createServer()
    const name = new MovingName(server)
    name.lead(target)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return name
  }

  get port (): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on new connections go there. */
  lead ({ port }: { port: number }): void {
    this.#server.removeAllListeners('connection')
    this.#server.on('connection', (near) => {
      const far = connect(port, '127.0.0.1')
      for (const [socket, other] of [[near, far], [far, near]] as const) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => { other.destroy() })
        socket.pipe(other)
      }
    })
  }

  close (): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
