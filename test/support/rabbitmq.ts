import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { Connection } from 'rabbitmq-client'
import { endServer, findProgram, freePort, skipWithout, startServer, temporaryFolder, unprivileged } from './server-process.js'

/** Debian's script on PATH works in the folders of the system only. It calls this one. */
const program = findProgram('lib/rabbitmq/bin/rabbitmq-server', ['/usr']) ?? findProgram('rabbitmq-server')

/** Where a RabbitMQ of the machine would be, as it is when it has just been installed. */
const usual = { host: '127.0.0.1', port: 5672 }

function urlOf ({ host, port }: { host: string, port: number }): string {
  return `amqp://guest:guest@${host}:${port}`
}

async function isRunning (url: string): Promise<boolean> {
  const connection = new Connection({ url })
  connection.on('error', () => {})
  const opened = await connection.onConnect(1000, true).then(() => true, () => false)
  await connection.close()
  return opened
}

const hasUsual = await isRunning(urlOf(usual))

/** tap's `skip` option for tests that need RabbitMQ. */
export const withoutRabbitmq = skipWithout('rabbitmq-server', hasUsual ? 'running' : program)

/** The RabbitMQ of the machine, which other tests may use too, or one of the test's own. */
export class RabbitmqServer {
  readonly host = usual.host
  readonly port: number
  readonly #end: () => Promise<void>

  private constructor (port: number, end: () => Promise<void>) {
    this.port = port
    this.#end = end
  }

  static async start (): Promise<RabbitmqServer> {
    if (hasUsual) return new RabbitmqServer(usual.port, async () => {})
    if (program === undefined) throw new Error('rabbitmq-server is not installed')
    const { folder, remove } = temporaryFolder('rabbitmq-test-', unprivileged())
    const [port, distPort] = [await freePort(), await freePort()]
    const child: ChildProcess = await startServer(program, [], /Server startup complete/, {
      ...unprivileged(),
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        RABBITMQ_NODENAME: `test-${port}@localhost`,
        RABBITMQ_NODE_IP_ADDRESS: usual.host,
        RABBITMQ_NODE_PORT: String(port),
        RABBITMQ_DIST_PORT: String(distPort),
        RABBITMQ_MNESIA_BASE: folder,
        RABBITMQ_LOG_BASE: folder,
        RABBITMQ_LOGS: '-',
        RABBITMQ_CONFIG_FILE: join(folder, 'none'),
        RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
        RABBITMQ_PID_FILE: join(folder, 'pid'),
        // Without a shell between this process and the server, which would outlive its shell.
        RABBITMQ_ALLOW_INPUT: 'true',
        RABBITMQ_SERVER_START_ARGS: '-noinput'
      }
    })
    return new RabbitmqServer(port, async () => {
      await endServer(child, 'SIGKILL')
      remove()
    })
  }

  get url (): string {
    return urlOf(this)
  }

  async stop (): Promise<void> {
    await this.#end()
  }

  /** Does something with a connection that is closed then. */
  async ask<Value> (question: (connection: Connection) => Promise<Value>): Promise<Value> {
    const connection = new Connection({ url: this.url })
    connection.on('error', () => {})
    try {
      return await question(connection)
    } finally {
      await connection.close()
    }
  }
}
