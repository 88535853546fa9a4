import { setTimeout as sleep } from 'node:timers/promises'
import type { Way } from './cpu-variants.js'
import { openLoad } from './load.js'
import { openPacedStream } from './paced-stream.js'
import { startServer } from './server-process.js'
import { median, quantile, ratios, shuffled } from './statistics.js'
import { markdownTable } from './table.js'

/** Latency in milliseconds of requests that have no part in the bursts, each the median of the runs. */
export interface FairnessFigures {
  key: string
  label: string
  p50: number
  p90: number
  p99: number
  max: number
  /** p99 compared with that of the idle server in the same run. */
  timesIdle: number
}

export interface FairnessSettings {
  runs: number
  seconds: number
  pluginUrl: string
  /** Called after each run of all ways. */
  onRun (run: number): void
}

const BURST_EVERY_MS = 500
const BURST_REQUESTS = 10
const TASKS_PER_REQUEST = 20
const BLOCK_MS = 1
const REQUESTS_PER_SECOND = 300
const WARM_UP_MS = 2000

interface FairnessVariant {
  key: string
  label: string
  way: Way
  tasks: number
}

const variants: FairnessVariant[] = [
  { key: 'idle', label: 'no tasks', way: 'bare', tasks: 0 },
  { key: 'list', label: 'hand-written list, back to back', way: 'list', tasks: TASKS_PER_REQUEST },
  { key: 'immediate', label: 'setImmediate per task', way: 'immediate', tasks: TASKS_PER_REQUEST },
  { key: 'plugin', label: 'this plugin', way: 'plugin', tasks: TASKS_PER_REQUEST }
]

async function measureOnce ({ way, tasks }: FairnessVariant, seconds: number, pluginUrl: string): Promise<number[]> {
  const server = await startServer('fairness.js', { way, tasks, blockMs: BLOCK_MS, pluginUrl })
  const others = openPacedStream(server.port)
  const bursts = await openLoad(server.port, '/burst', BURST_REQUESTS)
  let sentBursts = 0

  async function burst (): Promise<void> {
    await bursts.burst()
    await server.ask('settled', ++sentBursts * BURST_REQUESTS)
  }

  async function burstsFor (durationMs: number): Promise<void> {
    for (let i = 0; i < durationMs / BURST_EVERY_MS; i++) {
      const due = sleep(BURST_EVERY_MS)
      await burst()
      await due
    }
  }

  async function measure (durationMs: number): Promise<number[]> {
    const [latenciesMs] = await Promise.all([others.run(REQUESTS_PER_SECOND, durationMs), burstsFor(durationMs)])
    return latenciesMs
  }

  await measure(WARM_UP_MS)
  const latenciesMs = await measure(seconds * 1000)
  others.close()
  bursts.close()
  await server.stop()
  return latenciesMs
}

export async function measureFairness ({ runs, seconds, pluginUrl, onRun }: FairnessSettings): Promise<FairnessFigures[]> {
  const measured = new Map<string, number[][]>(variants.map(({ key }) => [key, []]))
  for (let run = 1; run <= runs; run++) {
    for (const variant of shuffled(variants)) {
      measured.get(variant.key)?.push(await measureOnce(variant, seconds, pluginUrl))
    }
    onRun(run)
  }
  const perRun = (key: string, q: number) => (measured.get(key) as number[][]).map(latenciesMs => quantile(latenciesMs, q))
  return variants.map(({ key, label }) => {
    const at = (q: number) => median(perRun(key, q))
    return { key, label, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1), timesIdle: median(ratios(perRun(key, 0.99), perRun('idle', 0.99))) }
  })
}

export function fairnessTable (figures: FairnessFigures[]): string {
  const head = ['latency of other requests, ms', 'p50', 'p90', 'p99', 'max']
  return markdownTable(head, figures.map(({ label, p50, p90, p99, max }) =>
    [label, ...[p50, p90, p99, max].map(ms => ms.toFixed(1))]))
}
