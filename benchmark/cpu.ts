import type { CpuVariant } from './cpu-variants.js'
import { openLoad, type Load } from './load.js'
import { startServer, type ServerProcess } from './server-process.js'
import { median, quantile, ratios, shuffled } from './statistics.js'
import { markdownTable, withSpread } from './table.js'

/** What one variant measured: one value a round. */
export interface CpuSamples {
  microsPerRequest: number[]
  requestsPerSecond: number[]
  p99Ms: number[]
}

export type CpuResults = Map<string, CpuSamples>

export interface CpuSettings {
  variants: CpuVariant[]
  rounds: number
  requests: number
  pluginUrl: string
  /** Called after each round. */
  onRound (round: number): void
}

const CONNECTIONS = 32
const SLICES = 16
const WARM_UP_REQUESTS = 20_000

/** One server process during one round. */
interface Runner {
  variant: CpuVariant
  server: ServerProcess
  load: Load
  sent: number
  micros: number
  durationMs: number
  latenciesMs: number[]
}

async function startRunner (variant: CpuVariant, pluginUrl: string): Promise<Runner> {
  const server = await startServer('cpu.js', { pluginUrl, ...variant })
  const load = await openLoad(server.port, '/', CONNECTIONS)
  await load.saturate(WARM_UP_REQUESTS)
  return { variant, server, load, sent: WARM_UP_REQUESTS, micros: 0, durationMs: 0, latenciesMs: [] }
}

async function runSlice (runner: Runner, requests: number): Promise<void> {
  const before = await runner.server.ask('cpuMicros', runner.sent)
  const { durationMs, latenciesMs } = await runner.load.saturate(requests)
  runner.sent += requests
  // Asked once every task is over, so that work put off until after the response is counted too.
  runner.micros += await runner.server.ask('cpuMicros', runner.sent) - before
  runner.durationMs += durationMs
  runner.latenciesMs.push(...latenciesMs)
}

/**
 * CPU time of the server process divided by requests.
 *
 * Each round starts every variant in a fresh process, warms all of them and measures them in slices, in an order
 * shuffled for each slice: whatever else the machine does meets all variants alike.
 */
export async function measureCpu ({ variants, rounds, requests, pluginUrl, onRound }: CpuSettings): Promise<CpuResults> {
  const results: CpuResults = new Map(variants.map(({ key }) => [key, { microsPerRequest: [], requestsPerSecond: [], p99Ms: [] }]))
  const sliceRequests = Math.ceil(requests / SLICES)

  for (let round = 1; round <= rounds; round++) {
    const runners: Runner[] = []
    for (const variant of shuffled(variants)) runners.push(await startRunner(variant, pluginUrl))
    for (let slice = 0; slice < SLICES; slice++) {
      for (const runner of shuffled(runners)) await runSlice(runner, sliceRequests)
    }
    for (const { variant, server, load, micros, durationMs, latenciesMs } of runners) {
      const samples = results.get(variant.key) as CpuSamples
      samples.microsPerRequest.push(micros / (sliceRequests * SLICES))
      samples.requestsPerSecond.push(sliceRequests * SLICES / durationMs * 1000)
      samples.p99Ms.push(quantile(latenciesMs, 0.99))
      load.close()
      await server.stop()
    }
    onRound(round)
  }
  return results
}

export function cpuTable (variants: CpuVariant[], results: CpuResults): string {
  const head = ['server', 'CPU µs/request', 'CPU ratio to bare', 'requests/s ratio', 'p99 latency ratio']
  return markdownTable(head, variants.map(({ key, label, base }) => {
    const own = results.get(key) as CpuSamples
    const bare = results.get(base) as CpuSamples
    return [
      label,
      median(own.microsPerRequest).toFixed(2),
      withSpread(ratios(own.microsPerRequest, bare.microsPerRequest)),
      median(ratios(own.requestsPerSecond, bare.requestsPerSecond)).toFixed(2),
      median(ratios(own.p99Ms, bare.p99Ms)).toFixed(2)
    ]
  }))
}
