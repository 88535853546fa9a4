import { parseArgs } from 'node:util'
import { chooseVariants, type CpuVariant } from './cpu-variants.js'

export interface Flags {
  parts: Set<string>
  variants: CpuVariant[]
  rounds: number
  requests: number
  seconds: number
  plugin: string | undefined
  build: boolean
}

export const usage = `Usage: tsx benchmark/run.ts [options]

  --only LIST     parts (cpu, heap, fairness, cpu-tasks, stored, worker, dashboard) and CPU variants (plugin-1, list-1, ...) to measure; all by default
  --rounds N      rounds of the CPU part, the others take half as many (10)
  --requests N    requests per CPU variant and round, a fifth of them for stored tasks and workers (40000)
  --seconds N     length of each run of fairness and cpu-tasks, a tenth of the soak of the dashboard (6)
  --plugin PATH   module to measure instead of this package, built afresh
  --no-build      measure dist as it is
  --help`

const PARTS = ['cpu', 'heap', 'fairness', 'cpu-tasks', 'stored', 'worker', 'dashboard']

function positiveInteger (name: string, value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) throw new Error(`--${name} must be an integer >= 1, received ${value}`)
  return number
}

/** Reads the command line; undefined when only help was asked for. */
export function readFlags (): Flags | undefined {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      rounds: { type: 'string', default: '10' },
      requests: { type: 'string', default: '40000' },
      seconds: { type: 'string', default: '6' },
      plugin: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return undefined

  const only = values.only.split(',').filter(Boolean)
  const keys = only.filter(item => !PARTS.includes(item))
  const parts = only.filter(item => PARTS.includes(item))
  if (keys.length > 0) parts.push('cpu')
  return {
    parts: new Set(only.length === 0 ? PARTS : parts),
    variants: chooseVariants(keys),
    rounds: positiveInteger('rounds', values.rounds),
    requests: positiveInteger('requests', values.requests),
    seconds: positiveInteger('seconds', values.seconds),
    plugin: values.plugin,
    build: values.plugin === undefined && !values['no-build']
  }
}
