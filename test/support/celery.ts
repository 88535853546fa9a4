import { type ChildProcessWithoutNullStreams, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { findProgram, skipWithout } from './server-process.js'

const folder = fileURLToPath(new URL('../../examples/celery', import.meta.url))
const fixtures = fileURLToPath(new URL('../fixtures', import.meta.url))

/** Debian's packages are for Debian's Python, which need not be the first one on PATH. */
const python = [findProgram('python3'), '/usr/bin/python3'].find((path) => {
  try {
    return path !== undefined && execFileSync(path, ['-c', 'import celery, redis, amqp'], { stdio: 'ignore' }) !== undefined
  } catch {
    return false
  }
})

/** tap's `skip` option for tests that need Celery. */
export const withoutCelery = skipWithout('python3-celery', python)

export interface WorkerOptions {
  broker: string
  results: string
  queue: string
  controlExchange: string
  /** Where the tasks get their feeds. */
  feeds: string
  /** How many seconds old a task must be for a worker, when it starts, to take it from one that has died. Redis only. */
  visibilityTimeout?: number
}

function envOf ({ broker, results, controlExchange, feeds, visibilityTimeout = 3600 }: WorkerOptions): NodeJS.ProcessEnv {
  return {
    ...process.env,
    BROKER_URL: broker,
    RESULT_URL: results,
    CONTROL_EXCHANGE: controlExchange,
    VISIBILITY_TIMEOUT: String(visibilityTimeout),
    FEEDS_URL: feeds,
    PYTHONPATH: fixtures,
    PYTHONDONTWRITEBYTECODE: '1'
  }
}

const celery = ['-m', 'celery', '-A', 'celery_app']

/** Has Celery itself add a task, as a process of Python would. */
export async function callByCelery (options: WorkerOptions, name: string, kwargs: object): Promise<void> {
  if (python === undefined) throw new Error('python3-celery is not installed')
  const args = [...celery, 'call', name, '--kwargs', JSON.stringify(kwargs), '--queue', options.queue]
  await promisify(execFile)(python, args, { cwd: folder, env: envOf(options) })
}

let workers = 0

/** A worker of Celery with the tasks of the example, one at a time. */
export class CeleryWorker {
  readonly #child: ChildProcessWithoutNullStreams
  #output = ''
  #hasEnded = false
  #more = (): void => {}

  private constructor (child: ChildProcessWithoutNullStreams) {
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk) => {
        this.#output += chunk
        this.#more()
      })
    }
    child.once('close', () => {
      this.#hasEnded = true
      this.#more()
    })
  }

  static async start (t: Test, options: WorkerOptions): Promise<CeleryWorker> {
    if (python === undefined) throw new Error('python3-celery is not installed')
    // Names of workers are unique.
    const name = `${options.queue}-${workers++}`
    const args = [...celery, 'worker', '-c', '1', '-Q', options.queue, '-n', name, '-l', 'info', '--without-mingle', '--prefetch-multiplier', '4']
    // A group of its own: a worker has children, which would outlive it.
    const child = spawn(python, args, { cwd: folder, env: envOf(options), detached: true })
    const worker = new CeleryWorker(child)
    t.teardown(() => worker.kill())
    await worker.says(/ ready\.$/m)
    return worker
  }

  async says (pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#output)) {
      if (this.#hasEnded) throw new Error(`the worker ended: ${this.#output}`)
      await new Promise<void>((resolve) => { this.#more = resolve })
    }
  }

  /** As a machine that is switched off. */
  async kill (): Promise<void> {
    if (this.#hasEnded) return
    const closed = once(this.#child, 'close')
    process.kill(-this.#child.pid!, 'SIGKILL')
    await closed
  }
}

/** The supplier of the example. A test answers each request of a worker. */
export class Feeds {
  readonly url: string
  /** The feeds that were asked for. */
  readonly asked: string[] = []
  readonly #waiting = new Map<string, ServerResponse[]>()
  #arrived = (): void => {}

  private constructor (url: string) {
    this.url = url
  }

  static async start (t: Test): Promise<Feeds> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    const feeds = new Feeds(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    server.on('request', ({ url }, response) => { feeds.#receive(/^\/(\w+)\.csv$/.exec(url!)![1]!, response) })
    return feeds
  }

  #receive (feed: string, response: ServerResponse): void {
    this.asked.push(feed)
    this.#waiting.set(feed, [...this.#waiting.get(feed) ?? [], response])
    this.#arrived()
  }

  /** The reply to the next worker that asks for the feed. */
  async reply (feed: string): Promise<ServerResponse> {
    for (;;) {
      const response = this.#waiting.get(feed)?.shift()
      if (response !== undefined) return response
      await new Promise<void>((resolve) => { this.#arrived = resolve })
    }
  }
}
