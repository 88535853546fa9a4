import type { ChildProcess } from 'node:child_process'
import { Redis as Client } from 'ioredis'
import { endServer, findProgram, freePort, skipWithout, startServer, temporaryFolder, unprivileged } from './server-process.js'

const program = findProgram('redis-server')

/** tap's `skip` option for tests that need Redis. */
export const withoutRedis = skipWithout('redis-server', program)

/** A Redis of the test's own. Keeps nothing on disk unless told to. */
export class RedisServer {
  readonly host = '127.0.0.1'
  readonly #args: string[]
  readonly #folder = temporaryFolder('redis-test-', unprivileged())
  #port = 0
  #child: ChildProcess | undefined

  private constructor (args: string[]) {
    this.#args = args
  }

  static async start (...args: string[]): Promise<RedisServer> {
    const server = new RedisServer(args)
    server.#port = await freePort()
    await server.start()
    return server
  }

  get port (): number {
    return this.#port
  }

  /** What bullmqEngine takes. */
  get connection (): { host: string, port: number } {
    return { host: this.host, port: this.#port }
  }

  async start (...more: string[]): Promise<void> {
    if (program === undefined) throw new Error('redis-server is not installed')
    const args = ['--port', String(this.#port), '--bind', this.host, '--dir', this.#folder.folder, '--save', '', ...this.#args, ...more]
    this.#child = await startServer(program, args, /Ready to accept connections/, unprivileged())
  }

  /** As a crash, or a machine that is switched off. */
  async kill (): Promise<void> {
    await endServer(this.#child!, 'SIGKILL')
  }

  /** Alive for the network, and silent. */
  freeze (): void {
    this.#child!.kill('SIGSTOP')
  }

  thaw (): void {
    this.#child!.kill('SIGCONT')
  }

  async stop (): Promise<void> {
    this.thaw()
    await this.kill()
    this.#folder.remove()
  }

  /** Does something with a client that is closed then. */
  async ask<Value> (question: (client: Client) => Promise<Value>): Promise<Value> {
    const client = new Client({ ...this.connection, maxRetriesPerRequest: 1 })
    client.on('error', () => {})
    try {
      return await question(client)
    } finally {
      client.disconnect()
    }
  }
}
