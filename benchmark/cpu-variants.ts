export type Way = 'bare' | 'list' | 'immediate' | 'plugin'

/** One server of the CPU comparison. */
export interface CpuVariant {
  key: string
  label: string
  way: Way
  tasks: number
  waitMs: number
  logger: boolean
  /** The bare server it is compared with: the one with the same logger. */
  base: string
}

function variant (key: string, label: string, way: Way, tasks = 0, waitMs = 0): CpuVariant {
  return { key, label, way, tasks, waitMs, logger: false, base: 'bare' }
}

function withLogger ({ key, label, way }: CpuVariant): CpuVariant {
  return { key: `log-${key}`, label: `${label}, logger on`, way, tasks: 0, waitMs: 0, logger: true, base: 'log-bare' }
}

const bare = variant('bare', 'bare Fastify', 'bare')
const again = variant('bare-again', 'bare Fastify again (control)', 'bare')
const noTask = variant('plugin-0', 'this plugin, no task', 'plugin')

export const cpuVariants: CpuVariant[] = [
  bare,
  again,
  noTask,
  variant('plugin-1', 'this plugin, 1 task', 'plugin', 1),
  variant('list-1', 'hand-written list, 1 task', 'list', 1),
  variant('immediate-1', 'setImmediate, 1 task', 'immediate', 1),
  variant('plugin-5', 'this plugin, 5 tasks', 'plugin', 5),
  variant('list-5', 'hand-written list, 5 tasks', 'list', 5),
  variant('plugin-20', 'this plugin, 20 tasks', 'plugin', 20),
  variant('list-20', 'hand-written list, 20 tasks', 'list', 20),
  variant('plugin-wait', 'this plugin, 1 task of 5 ms', 'plugin', 1, 5),
  variant('list-wait', 'hand-written list, 1 task of 5 ms', 'list', 1, 5),
  withLogger(bare),
  withLogger(again),
  withLogger(noTask)
]

/** The variants asked for, each with the bare server it is compared with; all of them where none is named. */
export function chooseVariants (keys: string[]): CpuVariant[] {
  for (const key of keys) {
    if (!cpuVariants.some(variant => variant.key === key)) {
      throw new Error(`unknown variant "${key}", expected one of ${cpuVariants.map(variant => variant.key).join(', ')}`)
    }
  }
  if (keys.length === 0) return cpuVariants
  const wanted = new Set(keys.flatMap(key => [key, key.startsWith('log-') ? 'log-bare' : 'bare']))
  return cpuVariants.filter(variant => wanted.has(variant.key))
}
