import { Queue } from 'bullmq'
import { RedisServer } from '../test/support/redis.js'
import { openLoad, type Load } from './load.js'
import { type ServerProcess, startServer } from './server-process.js'
import { median, ratios, shuffled } from './statistics.js'
import { markdownTable, withSpread } from './table.js'

const CONCURRENCIES = [1, 10, 50]

const WAYS = [
  { key: 'hand', label: 'a bare BullMQ Worker', way: 'bulk' },
  { key: 'hand-again', label: 'the same, as a control', way: 'bulk' },
  { key: 'plugin', label: 'this plugin', way: 'plugin' }
]

const VARIANTS = CONCURRENCIES.flatMap((concurrency) =>
  WAYS.map(({ key, label, way }) => ({ key: `${key}-${concurrency}`, label, way, concurrency, base: `hand-${concurrency}` })))

const SLICES = 8
const TASKS_PER_REQUEST = 20
const CONNECTIONS = 8
// The compiler has done most of its work by then.
const WARM_UP_TASKS = 12_000

/** One value for each slice. */
export interface WorkerSamples {
  micros: number[]
  tasksPerSecond: number[]
  /** CPU of Redis for each task. */
  redisMicros: number[]
}

export type WorkerFigures = Map<string, WorkerSamples>

interface Runner {
  key: string
  queue: Queue
  web: ServerProcess
  load: Load
  worker: ServerProcess
  ran: number
}

interface Drained {
  micros: number
  durationMs: number
  redisMicros: number
}

export interface WorkerOptions {
  rounds: number
  /** Tasks of each variant in a round. */
  tasks: number
  pluginUrl: string
  onRound: (round: number) => void
}

async function cpuOf (redis: RedisServer): Promise<number> {
  const info = await redis.ask((client) => client.info('cpu'))
  return ['used_cpu_sys', 'used_cpu_user'].reduce((sum, name) => sum + 1e6 * Number(new RegExp(`${name}:([\\d.]+)`).exec(info)![1]), 0)
}

/** Stores tasks while the queue stands still, and has the worker run them. CPU counts from the start of the first to that of the last. */
async function drain (redis: RedisServer, runner: Runner, tasks: number): Promise<Drained> {
  await runner.queue.pause()
  await runner.load.saturate(tasks / TASKS_PER_REQUEST)
  const expected = runner.ran += tasks
  const done = runner.worker.ask('drain', expected)
  const before = await cpuOf(redis)
  await runner.queue.resume()
  const micros = await done
  return { micros, redisMicros: await cpuOf(redis) - before, durationMs: await runner.worker.ask('drainedIn') }
}

async function measureRound (redis: RedisServer, { pluginUrl, tasks }: WorkerOptions, results: WorkerFigures): Promise<void> {
  const runners: Runner[] = []
  const engineUrl = new URL('./lib/bullmq.mjs', pluginUrl).href
  for (const { key, way, concurrency } of shuffled(VARIANTS)) {
    const spec = { way, tasks: TASKS_PER_REQUEST, concurrency, connection: redis.connection, queue: key, pluginUrl, engineUrl }
    const worker = await startServer('stored.js', { ...spec, role: 'worker' })
    const web = await startServer('stored.js', { ...spec, role: 'web' })
    const runner = {
      key, worker, web, ran: 0, load: await openLoad(web.port, '/', CONNECTIONS), queue: new Queue(key, { connection: redis.connection })
    }
    await drain(redis, runner, WARM_UP_TASKS)
    runners.push(runner)
  }
  const slice = Math.ceil(tasks / SLICES / TASKS_PER_REQUEST) * TASKS_PER_REQUEST
  for (let i = 0; i < SLICES; i++) {
    for (const runner of shuffled(runners)) {
      const { micros, redisMicros, durationMs } = await drain(redis, runner, slice)
      const samples = results.get(runner.key)!
      samples.micros.push(micros / (slice - 1))
      samples.redisMicros.push(redisMicros / slice)
      samples.tasksPerSecond.push((slice - 1) / durationMs * 1000)
    }
  }
  for (const { worker, web, load, queue } of runners) {
    load.close()
    await Promise.all([worker.stop(), web.stop(), queue.close()])
  }
  await redis.ask((client) => client.flushall())
}

/** CPU of a worker process for each stored task, and tasks a second, against a bare Worker of BullMQ with the same handler. */
export async function measureWorker (options: WorkerOptions): Promise<WorkerFigures> {
  const redis = await RedisServer.start()
  const results: WorkerFigures = new Map(VARIANTS.map(({ key }) => [key, { micros: [], tasksPerSecond: [], redisMicros: [] }]))
  try {
    for (let round = 1; round <= options.rounds; round++) {
      await measureRound(redis, options, results)
      options.onRound(round)
    }
    return results
  } finally {
    await redis.stop()
  }
}

export function workerTable (results: WorkerFigures): string {
  const head = ['worker process', 'concurrency', 'CPU µs/task', 'CPU ratio', 'tasks/s', 'tasks/s ratio', 'CPU µs/task of Redis']
  return markdownTable(head, VARIANTS.map(({ key, label, concurrency, base }) => {
    const own = results.get(key)!
    const bare = results.get(base)!
    return [
      label, String(concurrency), median(own.micros).toFixed(1), withSpread(ratios(own.micros, bare.micros), 2, 0.25),
      median(own.tasksPerSecond).toFixed(0), withSpread(ratios(own.tasksPerSecond, bare.tasksPerSecond), 2, 0.25),
      median(own.redisMicros).toFixed(1)
    ]
  }))
}
