import { setTimeout as sleep } from 'node:timers/promises'
import type { Way } from './cpu-variants.js'
import { openLoad } from './load.js'
import { type OthersFigures, type OthersSettings, type Scene, type Variant, measureOthers } from './others.js'
import { startServer } from './server-process.js'

const BURST_EVERY_MS = 500
const BURST_REQUESTS = 10
const TASKS_PER_REQUEST = 20
const BLOCK_MS = 1

interface FairnessVariant extends Variant {
  way: Way
  tasks: number
}

const variants: FairnessVariant[] = [
  { key: 'idle', label: 'no tasks', way: 'bare', tasks: 0 },
  { key: 'list', label: 'hand-written list, back to back', way: 'list', tasks: TASKS_PER_REQUEST },
  { key: 'immediate', label: 'setImmediate per task', way: 'immediate', tasks: TASKS_PER_REQUEST },
  { key: 'plugin', label: 'this plugin', way: 'plugin', tasks: TASKS_PER_REQUEST }
]

async function open ({ way, tasks }: FairnessVariant, pluginUrl: string): Promise<Scene> {
  const server = await startServer('fairness.js', { way, tasks, blockMs: BLOCK_MS, pluginUrl })
  const bursts = await openLoad(server.port, '/burst', BURST_REQUESTS)
  let sentBursts = 0
  return {
    port: server.port,
    async work (durationMs) {
      for (let i = 0; i < durationMs / BURST_EVERY_MS; i++) {
        const due = sleep(BURST_EVERY_MS)
        await bursts.burst()
        await server.ask('settled', ++sentBursts * BURST_REQUESTS)
        await due
      }
    },
    async close () {
      bursts.close()
      await server.stop()
    }
  }
}

export function measureFairness (settings: OthersSettings): Promise<OthersFigures[]> {
  return measureOthers(variants, settings, open)
}
