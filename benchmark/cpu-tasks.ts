import { openLoad } from './load.js'
import { type OthersFigures, type OthersSettings, type Scene, type Variant, measureOthers } from './others.js'
import { startServer } from './server-process.js'

const QUEUED_TASKS = 20
const BUSY_MS = 50

interface CpuTaskVariant extends Variant {
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

async function open ({ tasks, inThreads = false, hasBusyNeighbour = false }: CpuTaskVariant, pluginUrl: string): Promise<Scene> {
  const server = await startServer('cpu-tasks.js', { inThreads, busyMs: BUSY_MS, pluginUrl })
  const neighbour = hasBusyNeighbour ? await startServer('busy.js', {}) : undefined
  const adders = await openLoad(server.port, '/work', tasks)
  let added = 0
  return {
    port: server.port,
    /** Queues tasks, and again whenever they are done. */
    async work (durationMs) {
      if (tasks === 0) return
      const end = performance.now() + durationMs
      while (performance.now() < end) {
        await adders.burst()
        await server.ask('settled', added += tasks)
      }
    },
    async close () {
      adders.close()
      await neighbour?.stop()
      await server.stop()
    }
  }
}

export function measureCpuTasks (settings: OthersSettings): Promise<OthersFigures[]> {
  return measureOthers(variants, settings, open)
}
