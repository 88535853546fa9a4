import { get, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { openLoad } from './load.js'
import { openPacedStream } from './paced-stream.js'
import { startServer, type ServerProcess } from './server-process.js'
import { quantile, shuffled } from './statistics.js'
import { markdownTable, withSpread } from './table.js'

/** What the dashboard costs: figures of a server with it, divided by those of a server without it in the same slice. */
export interface DashboardFigures {
  /** CPU for each request with one task, while nobody looks. */
  unseen: number[]
  /** The same for two servers without a dashboard. */
  unseenControl: number[]
  /** CPU for each request at 1000 requests a second, each with a task, while one viewer looks at the overview. */
  viewed: number[]
  viewedControl: number[]
  /** p99 of the latency of these requests. */
  viewedP99: number[]
  viewedP99Control: number[]
  soak: SoakFigures
}

export interface SoakFigures {
  viewers: number
  seconds: number
  /** Used heap in MB after a collection: at a quarter, at the end, and after the viewers have left. */
  early: number
  late: number
  left: number
  bytesPerSecond: number
}

export interface DashboardSettings {
  rounds: number
  requests: number
  soakSeconds: number
  pluginUrl: string
  onRound (round: number): void
}

type Ways = Record<'without' | 'control' | 'with', ServerProcess>

const SLICES = 16
const CONNECTIONS = 32
const WARM_UP_REQUESTS = 10_000
const REQUESTS_PER_SECOND = 1000
const SLICE_MS = 1000
const VIEWERS = 20

async function startWays (pluginUrl: string): Promise<Ways> {
  const start = (dashboard: boolean): Promise<ServerProcess> =>
    startServer('cpu.js', { way: 'plugin', tasks: 1, waitMs: 0, logger: true, dashboard, pluginUrl }, ['--expose-gc'])
  return { without: await start(false), control: await start(false), with: await start(true) }
}

/** Opens the live stream of the overview, and counts what comes. */
async function openViewer (port: number): Promise<{ bytes: number, close (): void }> {
  const request = get({ port, host: '127.0.0.1', path: '/background-tasks/live?view=overview', agent: false })
  const [response] = await once(request, 'response') as [IncomingMessage]
  if (response.statusCode !== 200) throw new Error(`the live stream answers ${response.statusCode}`)
  const viewer = { bytes: 0, close: () => { request.destroy() } }
  response.on('data', ({ length }: Buffer) => { viewer.bytes += length })
  response.on('error', () => {})
  await once(response, 'data')
  return viewer
}

async function measureUnseen (figures: DashboardFigures, { requests, pluginUrl }: DashboardSettings): Promise<void> {
  const ways = await startWays(pluginUrl)
  const perSlice = Math.ceil(requests / SLICES)
  const runners = await Promise.all(Object.entries(ways).map(async ([key, server]) => {
    const load = await openLoad(server.port, '/', CONNECTIONS)
    await load.saturate(WARM_UP_REQUESTS)
    return { key, server, load, sent: WARM_UP_REQUESTS, micros: 0 }
  }))
  for (let slice = 0; slice < SLICES; slice++) {
    for (const runner of shuffled(runners)) {
      const before = await runner.server.ask('cpuMicros', runner.sent)
      await runner.load.saturate(perSlice)
      runner.sent += perSlice
      runner.micros += await runner.server.ask('cpuMicros', runner.sent) - before
    }
  }
  const micros = Object.fromEntries(runners.map((runner) => [runner.key, runner.micros])) as Record<keyof Ways, number>
  figures.unseen.push(micros.with / micros.without)
  figures.unseenControl.push(micros.control / micros.without)
  for (const { load, server } of runners) {
    load.close()
    await server.stop()
  }
}

async function measureViewed (figures: DashboardFigures, { pluginUrl }: DashboardSettings): Promise<void> {
  const ways = await startWays(pluginUrl)
  const viewer = await openViewer(ways.with.port)
  const runners = Object.entries(ways).map(([key, server]) =>
    ({ key, server, stream: openPacedStream(server.port), sent: 0, micros: 0, latenciesMs: [] as number[] }))
  for (let slice = 0; slice <= SLICES; slice++) {
    for (const runner of shuffled(runners)) {
      const before = await runner.server.ask('cpuMicros', runner.sent)
      const latenciesMs = await runner.stream.run(REQUESTS_PER_SECOND, SLICE_MS)
      runner.sent += latenciesMs.length
      const micros = await runner.server.ask('cpuMicros', runner.sent) - before
      // The first slice warms up.
      if (slice === 0) continue
      runner.micros += micros
      runner.latenciesMs.push(...latenciesMs)
    }
  }
  viewer.close()
  const of = (key: keyof Ways): typeof runners[0] => runners.find((runner) => runner.key === key)!
  const p99 = (key: keyof Ways): number => quantile(of(key).latenciesMs, 0.99)
  figures.viewed.push(of('with').micros / of('without').micros)
  figures.viewedControl.push(of('control').micros / of('without').micros)
  figures.viewedP99.push(p99('with') / p99('without'))
  figures.viewedP99Control.push(p99('control') / p99('without'))
  for (const { stream, server } of runners) {
    stream.close()
    await server.stop()
  }
}

async function measureSoak ({ soakSeconds, pluginUrl }: DashboardSettings): Promise<SoakFigures> {
  const spec = { way: 'plugin', tasks: 1, waitMs: 0, logger: true, dashboard: true, pluginUrl }
  const server = await startServer('cpu.js', spec, ['--expose-gc'])
  const stream = openPacedStream(server.port)
  const viewers = await Promise.all(Array.from({ length: VIEWERS }, () => openViewer(server.port)))
  let sent = 0
  const runFor = async (seconds: number): Promise<number> => {
    sent += (await stream.run(REQUESTS_PER_SECOND, seconds * 1000)).length
    return await server.ask('heapMegabytes', sent)
  }
  const early = await runFor(soakSeconds / 4)
  const late = await runFor(soakSeconds * 3 / 4)
  const bytes = viewers.reduce((sum, viewer) => sum + viewer.bytes, 0)
  for (const viewer of viewers) viewer.close()
  const left = await runFor(1)
  stream.close()
  await server.stop()
  return { viewers: VIEWERS, seconds: soakSeconds, early, late, left, bytesPerSecond: bytes / VIEWERS / soakSeconds }
}

export async function measureDashboard (settings: DashboardSettings): Promise<DashboardFigures> {
  const figures: DashboardFigures = {
    unseen: [], unseenControl: [], viewed: [], viewedControl: [], viewedP99: [], viewedP99Control: [], soak: await measureSoak(settings)
  }
  for (let round = 1; round <= settings.rounds; round++) {
    await measureUnseen(figures, settings)
    await measureViewed(figures, settings)
    settings.onRound(round)
  }
  return figures
}

export function dashboardTable (figures: DashboardFigures): string {
  const head = ['with the dashboard, times without', 'median (rounds)', 'control', 'budget']
  const row = (what: string, own: number[], control: number[], limit: string): string[] => [what, withSpread(own, 3), withSpread(control, 3), limit]
  return markdownTable(head, [
    row('CPU a request with a task, nobody looks', figures.unseen, figures.unseenControl, 'control'),
    row('CPU a request with a task, 1000/s, one viewer', figures.viewed, figures.viewedControl, '<= 1.1'),
    row('p99 of these requests', figures.viewedP99, figures.viewedP99Control, '<= 1.2')
  ])
}

export function soakLine ({ viewers, seconds, early, late, left, bytesPerSecond }: SoakFigures): string {
  const [atQuarter, atEnd, after] = [early, late, left].map((megabytes) => `${megabytes.toFixed(1)} MB`)
  return `${viewers} viewers and ${REQUESTS_PER_SECOND} tasks a second for ${seconds} s: heap ${atQuarter} after a quarter, ${atEnd} at the end, ${after} once they ` +
    `have left; ${(bytesPerSecond / 1024).toFixed(0)} kB a second to each viewer`
}
