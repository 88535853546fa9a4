import { RedisServer } from '../test/support/redis.js'
import { type Load, openLoad } from './load.js'
import { type ServerProcess, startServer } from './server-process.js'
import { median, quantile, ratios, shuffled } from './statistics.js'
import { markdownTable, withSpread } from './table.js'

const VARIANTS = [
  { key: 'hand-1', label: 'queue.add in the handler, 1 task', way: 'hand', tasks: 1, base: 'hand-1' },
  { key: 'hand-1-again', label: 'the same, as a control', way: 'hand', tasks: 1, base: 'hand-1' },
  { key: 'guarded-1', label: 'the same with a time limit and the request id', way: 'guarded', tasks: 1, base: 'hand-1' },
  { key: 'plugin-1', label: 'this plugin, 1 task', way: 'plugin', tasks: 1, base: 'hand-1' },
  { key: 'bulk-5', label: 'queue.addBulk in the handler, 5 tasks', way: 'bulk', tasks: 5, base: 'bulk-5' },
  { key: 'guarded-5', label: 'the same with a time limit and the request id', way: 'guarded', tasks: 5, base: 'bulk-5' },
  { key: 'hand-5', label: 'queue.add five times, one after the other', way: 'hand', tasks: 5, base: 'bulk-5' },
  { key: 'plugin-5', label: 'this plugin, 5 tasks', way: 'plugin', tasks: 5, base: 'bulk-5' }
]

const SLICES = 16
const CONNECTIONS = 64
// Until the compiler has done its work: before, the variant with more code looks worse than it is.
const WARM_UP_REQUESTS = 16_000
const LATENCY_REQUESTS = 200

/** One value for each slice: the machine may change within a round. */
export interface Samples {
  micros: number[]
  tasksPerSecond: number[]
}

interface Runner {
  key: string
  tasks: number
  server: ServerProcess
  load: Load
}

/** What a measurement needs to know. */
interface Setup {
  redis: RedisServer
  pluginUrl: string
  engineUrl: string
}

export interface StoredOptions {
  rounds: number
  /** Per variant and round. */
  requests: number
  pluginUrl: string
  onRound: (round: number) => void
}

export interface StoredFigures {
  cpu: Map<string, Samples>
  /** By way, in ms. */
  latencies: Array<[way: string, latencies: number[]]>
}

async function measureCpu ({ redis, pluginUrl, engineUrl }: Setup, { rounds, requests, onRound }: StoredOptions): Promise<Map<string, Samples>> {
  const sliceRequests = Math.ceil(requests / SLICES)
  const results = new Map<string, Samples>(VARIANTS.map(({ key }) => [key, { micros: [], tasksPerSecond: [] }]))
  for (let round = 0; round < rounds; round++) {
    const runners: Runner[] = []
    for (const { key, way, tasks } of shuffled(VARIANTS)) {
      const spec = { way, tasks, role: 'web', connection: redis.connection, queue: key, pluginUrl, engineUrl }
      const server = await startServer('stored.js', spec)
      const load = await openLoad(server.port, '/', CONNECTIONS)
      await load.saturate(WARM_UP_REQUESTS)
      runners.push({ key, server, load, tasks })
    }
    for (let slice = 0; slice < SLICES; slice++) {
      for (const { key, tasks, server, load } of shuffled(runners)) {
        const before = await server.ask('cpuMicros')
        const { durationMs } = await load.saturate(sliceRequests)
        const samples = results.get(key)!
        samples.micros.push((await server.ask('cpuMicros') - before) / sliceRequests)
        samples.tasksPerSecond.push(sliceRequests * tasks / durationMs * 1000)
      }
    }
    for (const { server, load } of runners) {
      load.close()
      await server.stop()
    }
    await redis.ask((client) => client.flushall())
    onRound(round + 1)
  }
  return results
}

/** One request at a time: how long after its reply was read, in ms, the task started in the worker. */
async function measureLatency ({ redis, pluginUrl, engineUrl }: Setup, way: string): Promise<number[]> {
  const spec = { way, tasks: 1, connection: redis.connection, queue: `latency-${way}`, pluginUrl, engineUrl }
  const worker = await startServer('stored.js', { ...spec, role: 'worker' })
  const web = await startServer('stored.js', { ...spec, role: 'web' })
  const latencies: number[] = []
  for (let sent = 1; sent <= LATENCY_REQUESTS; sent++) {
    await (await fetch(`http://127.0.0.1:${web.port}/`)).text()
    const repliedAt = performance.timeOrigin + performance.now()
    latencies.push(await worker.ask('finished', sent) - repliedAt)
  }
  await Promise.all([web.stop(), worker.stop()])
  return latencies
}

/**
 * Tasks stored in Redis by the plugin, against BullMQ used by hand in the handler: CPU of the web process per request,
 * tasks stored per second, and the time from a reply that was read to the start of its task in a worker process.
 */
export async function measureStored (options: StoredOptions): Promise<StoredFigures> {
  const { pluginUrl } = options
  const redis = await RedisServer.start()
  const setup = { redis, pluginUrl, engineUrl: new URL('./lib/bullmq.mjs', pluginUrl).href }
  try {
    const cpu = await measureCpu(setup, options)
    const latencies: StoredFigures['latencies'] = []
    for (const way of ['hand', 'plugin']) latencies.push([way, await measureLatency(setup, way)])
    return { cpu, latencies }
  } finally {
    await redis.stop()
  }
}

export function storedTable ({ cpu }: StoredFigures): string {
  return markdownTable(['web process', 'CPU µs/request', 'CPU ratio', 'tasks stored/s'], VARIANTS.map(({ key, label, base }) => {
    const own = cpu.get(key)!
    return [
      label, median(own.micros).toFixed(1), withSpread(ratios(own.micros, cpu.get(base)!.micros), 2, 0.25), median(own.tasksPerSecond).toFixed(0)
    ]
  }))
}

export function latencyTable ({ latencies }: StoredFigures): string {
  const labels: Record<string, string> = { hand: 'BullMQ by hand', plugin: 'this plugin' }
  return markdownTable(['', 'p50 ms', 'p99 ms'], latencies.map(([way, values]) =>
    [labels[way] as string, ...[0.5, 0.99].map((share) => quantile(values, share).toFixed(2))]))
}
