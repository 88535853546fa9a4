import { openPacedStream } from './paced-stream.js'
import { median, quantile, ratios, shuffled } from './statistics.js'
import { markdownTable } from './table.js'

/** Latency in milliseconds of requests that have no part in the work of the server, each the median of the runs. */
export interface OthersFigures {
  key: string
  label: string
  p50: number
  p90: number
  p99: number
  max: number
  /** p99 compared with that of the variant `idle` in the same run. */
  timesIdle: number
}

export interface OthersSettings {
  runs: number
  seconds: number
  pluginUrl: string
  /** Called after each run of all variants. */
  onRun (run: number): void
}

export interface Variant {
  key: string
  label: string
}

/** A server, and what keeps it busy. */
export interface Scene {
  port: number
  work (durationMs: number): Promise<void>
  close (): Promise<void>
}

const REQUESTS_PER_SECOND = 300
const WARM_UP_MS = 2000

/** The latencies of other requests while a server works. */
async function measureOnce ({ port, work, close }: Scene, seconds: number): Promise<number[]> {
  const others = openPacedStream(port)

  async function measure (durationMs: number): Promise<number[]> {
    const [latenciesMs] = await Promise.all([others.run(REQUESTS_PER_SECOND, durationMs), work(durationMs)])
    return latenciesMs
  }

  await measure(WARM_UP_MS)
  const latenciesMs = await measure(seconds * 1000)
  others.close()
  await close()
  return latenciesMs
}

/** Measures the variants, one of which has the key `idle`, in turn. */
export async function measureOthers<V extends Variant> (
  variants: V[], { runs, seconds, onRun, pluginUrl }: OthersSettings, open: (variant: V, pluginUrl: string) => Promise<Scene>
): Promise<OthersFigures[]> {
  const measured = new Map<string, number[][]>(variants.map(({ key }) => [key, []]))
  for (let run = 1; run <= runs; run++) {
    for (const variant of shuffled(variants)) {
      measured.get(variant.key)?.push(await measureOnce(await open(variant, pluginUrl), seconds))
    }
    onRun(run)
  }
  const perRun = (key: string, q: number) => (measured.get(key) as number[][]).map(latenciesMs => quantile(latenciesMs, q))
  return variants.map(({ key, label }) => {
    const at = (q: number) => median(perRun(key, q))
    return { key, label, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1), timesIdle: median(ratios(perRun(key, 0.99), perRun('idle', 0.99))) }
  })
}

export function othersTable (figures: OthersFigures[]): string {
  const head = ['latency of other requests, ms', 'p50', 'p90', 'p99', 'max']
  return markdownTable(head, figures.map(({ label, p50, p90, p99, max }) =>
    [label, ...[p50, p90, p99, max].map(ms => ms.toFixed(1))]))
}
