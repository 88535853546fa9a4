import type { CpuResults } from './cpu.js'
import type { HeapFigures } from './heap.js'
import type { OthersFigures } from './others.js'
import type { StoredFigures } from './stored.js'
import type { WorkerFigures } from './stored-worker.js'
import { differences, median, ratios } from './statistics.js'
import { markdownTable, withSpread } from './table.js'

const QUIET_P99_MS = 5

export interface Measured {
  cpu?: CpuResults
  heap?: HeapFigures[]
  fairness?: OthersFigures[]
  cpuTasks?: OthersFigures[]
  stored?: StoredFigures
  worker?: WorkerFigures
}

/** One line of what the plugin may cost, beside what people do without it. */
interface Line {
  what: string
  unit: string
  digits: number
  limit: number
  plugin: number | undefined
  list?: number | undefined
  immediate?: number | undefined
}

/** Median over the rounds; undefined where one of the two was not measured. */
function compare (cpu: CpuResults | undefined, a: string, b: string, combine: typeof ratios): number | undefined {
  const own = cpu?.get(a)
  const other = cpu?.get(b)
  if (own === undefined || other === undefined) return undefined
  return median(combine(own.microsPerRequest, other.microsPerRequest))
}

function cpuLines (cpu: CpuResults | undefined): Line[] {
  const ratio = (a: string, b: string) => compare(cpu, a, b, ratios)
  const more = (a: string, b: string) => compare(cpu, a, b, differences)
  const perTask = (a: string, b: string, tasks: number) => {
    const micros = more(a, b)
    return micros === undefined ? undefined : micros / tasks
  }
  return [
    { what: 'CPU of a request without a task, logger on', unit: 'x bare', digits: 3, limit: 1.03, plugin: ratio('log-plugin-0', 'log-bare') },
    { what: 'CPU of a request without a task, no logger', unit: 'x bare', digits: 3, limit: 1.06, plugin: ratio('plugin-0', 'bare') },
    { what: 'first task, more than the hand-written list', unit: 'µs', digits: 2, limit: 1, plugin: more('plugin-1', 'list-1'), list: 0, immediate: more('immediate-1', 'list-1') },
    { what: 'each further task, from 1 to 5', unit: 'µs', digits: 2, limit: 0.5, plugin: perTask('plugin-5', 'plugin-1', 4), list: perTask('list-5', 'list-1', 4) },
    { what: 'each further task, from 1 to 20', unit: 'µs', digits: 2, limit: 0.5, plugin: perTask('plugin-20', 'plugin-1', 19), list: perTask('list-20', 'list-1', 19) }
  ]
}

function heapLines (heap: HeapFigures[] | undefined): Line[] {
  const of = (way: string, figure: 'waiting' | 'pending') => heap?.find(figures => figures.way === way)?.[figure]
  return [
    { what: 'heap of a waiting task', unit: 'bytes', digits: 0, limit: 256, plugin: of('plugin', 'waiting'), list: of('list', 'waiting') },
    { what: 'heap of a sleeping task, its request over', unit: 'bytes', digits: 0, limit: 1500, plugin: of('plugin', 'pending'), list: of('list', 'pending'), immediate: of('immediate', 'pending') }
  ]
}

function othersLines (fairness: OthersFigures[] | undefined, cpuTasks: OthersFigures[] | undefined): Line[] {
  const of = (figures: OthersFigures[] | undefined, key: string) => figures?.find(figures => figures.key === key)?.timesIdle
  return [
    { what: 'p99 of other requests during bursts', unit: 'x idle', digits: 1, limit: 3, plugin: of(fairness, 'plugin'), list: of(fairness, 'list'), immediate: of(fairness, 'immediate') },
    { what: 'p99 of other requests, tasks with a file queued', unit: 'x idle', digits: 1, limit: 2, plugin: of(cpuTasks, 'file') }
  ]
}

function storedLines (stored: StoredFigures | undefined): Line[] {
  const ratio = (a: string, b: string) => {
    const own = stored?.cpu.get(a)
    return own && median(ratios(own.micros, stored!.cpu.get(b)!.micros))
  }
  return [
    { what: 'CPU of a request that stores a task, more than queue.add by hand', unit: 'x', digits: 2, limit: 1.1, plugin: ratio('plugin-1', 'hand-1') },
    { what: 'CPU of a request that stores five, more than queue.addBulk by hand', unit: 'x', digits: 2, limit: 1.1, plugin: ratio('plugin-5', 'bulk-5') }
  ]
}

function workerLines (worker: WorkerFigures | undefined): Line[] {
  return [1, 10, 50].map((concurrency) => {
    const own = worker?.get(`plugin-${concurrency}`)
    const plugin = own && median(ratios(own.micros, worker!.get(`hand-${concurrency}`)!.micros))
    return { what: `CPU of a worker for each task, concurrency ${concurrency}, more than a bare Worker`, unit: 'x', digits: 2, limit: 1.15, plugin }
  })
}

/** The lines of the budget that were measured. */
function budgetLines ({ cpu, heap, fairness, cpuTasks, stored, worker }: Measured): Line[] {
  const lines = [cpuLines(cpu), heapLines(heap), othersLines(fairness, cpuTasks), storedLines(stored), workerLines(worker)].flat()
  return lines.filter(({ plugin }) => plugin !== undefined)
}

/** How far two identical servers were apart: differences below that mean nothing. */
function controlNotes (cpu: CpuResults | undefined): string[] {
  return [['bare-again', 'bare', 'no logger'], ['log-bare-again', 'log-bare', 'logger on']].flatMap(([again, bare, which]) => {
    const own = cpu?.get(again as string)
    const other = cpu?.get(bare as string)
    if (own === undefined || other === undefined) return []
    return [`note  two identical bare servers, ${which}: ${withSpread(ratios(own.microsPerRequest, other.microsPerRequest), 3)} x`]
  })
}

/** An idle server is slow only where other processes take the CPU, and they take it from busy servers first. */
function noiseNotes (fairness: OthersFigures[] | undefined): string[] {
  const idle = fairness?.find(({ key }) => key === 'idle')
  if (idle === undefined || idle.p99 < QUIET_P99_MS) return []
  return [`note  p99 of the idle server is ${idle.p99.toFixed(1)} ms: this machine is too busy to judge fairness`]
}

export function budgetVerdicts (measured: Measured): string {
  const verdicts = budgetLines(measured).map(({ what, unit, digits, limit, plugin = NaN }) =>
    `${plugin <= limit ? 'pass' : 'FAIL'}  ${what}: ${plugin.toFixed(digits)} ${unit} (budget ${limit})`)
  return [...controlNotes(measured.cpu), ...noiseNotes(measured.fairness), ...verdicts].join('\n')
}

/** The table for docs/benchmarks.md. */
export function budgetTable (measured: Measured): string {
  const head = ['', 'this plugin', 'hand-written list', 'setImmediate', 'budget']
  return markdownTable(head, budgetLines(measured).map(({ what, unit, digits, limit, plugin, list, immediate }) =>
    [`${what} (${unit})`, ...[plugin, list, immediate].map(figure => figure?.toFixed(digits) ?? ''), `<= ${limit}`]))
}
