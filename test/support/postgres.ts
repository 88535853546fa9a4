import { type ChildProcess, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import {
  endServer, findProgram, folderOf, freePort, postgresFolders, skipWithout, startServer, temporaryFolder, unprivileged
} from './server-process.js'

const program = findProgram('postgres', postgresFolders())

/** tap's `skip` option for tests that need PostgreSQL. */
export const withoutPostgres = skipWithout('postgres', program)

/** A PostgreSQL of the test's own, gone with the test. */
export class PostgresServer {
  readonly #folder = temporaryFolder('postgres-test-', unprivileged())
  #port = 0
  #child: ChildProcess | undefined

  static async start (): Promise<PostgresServer> {
    if (program === undefined) throw new Error('postgres is not installed')
    const server = new PostgresServer()
    server.#port = await freePort()
    const args = ['-D', server.#data, '-U', 'test', '-A', 'trust', '-E', 'UTF8', '--locale', 'C', '--no-sync']
    execFileSync(join(folderOf(program), 'initdb'), args, { ...unprivileged(), cwd: server.#folder.folder, stdio: 'ignore' })
    await server.start()
    return server
  }

  get #data (): string {
    return join(this.#folder.folder, 'data')
  }

  /** What bullmqEngine takes. */
  get connectionString (): string {
    return `postgres://test@127.0.0.1:${this.#port}/postgres`
  }

  async start (): Promise<void> {
    const args = [
      '-D', this.#data, '-p', String(this.#port), '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${this.#folder.folder}`,
      '-c', 'fsync=off'
    ]
    const options = { ...unprivileged(), cwd: this.#folder.folder }
    this.#child = await startServer(program!, args, /database system is ready to accept connections/, options)
  }

  /** At once, connections or not. */
  async kill (): Promise<void> {
    await endServer(this.#child!, 'SIGQUIT')
  }

  async stop (): Promise<void> {
    await this.kill()
    this.#folder.remove()
  }
}
