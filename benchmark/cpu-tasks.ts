import { openLoad } from './load.js'
import { openPacedStream } from './paced-stream.js'
import { startServer } from './server-process.js'
import { median, quantile, shuffled } from './statistics.js'
import { markdownTable } from './table.js'

/** Latency in milliseconds of requests that have no part in the work, each the median of the runs. */
export interface CpuTaskFigures {
  key: string
  label: string
  p50: number
  p90: number
  p99: number
  max: number
}

export interface CpuTaskSettings {
  runs: number
  seconds: number
  pluginUrl: string
  /** Called after each run of all variants. */
  onRun (run: number): void
}

const QUEUED_TASKS = 20
const BUSY_MS = 50
const REQUESTS_PER_SECOND = 300
const WARM_UP_MS = 2000

interface CpuTaskVariant {
  key: string
  label: string
  tasks: number
  inThreads?: boolean
  /** Whether a process that has nothing to do with the server keeps a core busy. */
  hasBusyNeighbour?: boolean
}

const variants: CpuTaskVariant[] = [
  { key: 'idle', label: 'no tasks', tasks: 0 },
  { key: 'neighbour', label: 'no tasks, another process busy', tasks: 0, hasBusyNeighbour: true },
  { key: 'handler', label: 'tasks with a handler, on the event loop', tasks: QUEUED_TASKS },
  { key: 'file', label: 'tasks with a file, in threads', tasks: QUEUED_TASKS, inThreads: true }
]

async function measureOnce (
  { tasks, inThreads = false, hasBusyNeighbour = false }: CpuTaskVariant, seconds: number, pluginUrl: string
): Promise<number[]> {
  const server = await startServer('cpu-tasks.js', { inThreads, busyMs: BUSY_MS, pluginUrl })
  const neighbour = hasBusyNeighbour ? await startServer('busy.js', {}) : undefined
  const others = openPacedStream(server.port)
  const adders = await openLoad(server.port, '/work', tasks)
  let added = 0

  /** Queues tasks, and again whenever they are done. */
  async function workFor (durationMs: number): Promise<void> {
    if (tasks === 0) return
    const end = performance.now() + durationMs
    while (performance.now() < end) {
      await adders.burst()
      await server.ask('settled', added += tasks)
    }
  }

  async function measure (durationMs: number): Promise<number[]> {
    const [latenciesMs] = await Promise.all([others.run(REQUESTS_PER_SECOND, durationMs), workFor(durationMs)])
    return latenciesMs
  }

  await measure(WARM_UP_MS)
  const latenciesMs = await measure(seconds * 1000)
  others.close()
  adders.close()
  await neighbour?.stop()
  await server.stop()
  return latenciesMs
}

export async function measureCpuTasks ({ runs, seconds, pluginUrl, onRun }: CpuTaskSettings): Promise<CpuTaskFigures[]> {
  const measured = new Map<string, number[][]>(variants.map(({ key }) => [key, []]))
  for (let run = 1; run <= runs; run++) {
    for (const variant of shuffled(variants)) {
      measured.get(variant.key)?.push(await measureOnce(variant, seconds, pluginUrl))
    }
    onRun(run)
  }
  return variants.map(({ key, label }) => {
    const runsOfKey = measured.get(key) as number[][]
    const at = (q: number) => median(runsOfKey.map(latenciesMs => quantile(latenciesMs, q)))
    return { key, label, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
  })
}

export function cpuTaskTable (figures: CpuTaskFigures[]): string {
  const head = ['latency of other requests, ms', 'p50', 'p90', 'p99', 'max']
  return markdownTable(head, figures.map(({ label, p50, p90, p99, max }) =>
    [label, ...[p50, p90, p99, max].map(ms => ms.toFixed(1))]))
}
