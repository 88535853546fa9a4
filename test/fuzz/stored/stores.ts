import { type BullmqEngineOptions, bullmqEngine } from '../../../lib/bullmq.mjs'
import { PostgresServer } from '../../support/postgres.js'
import { RedisServer } from '../../support/redis.js'
import { memoryStore } from './memory-store.js'
import type { FuzzStore } from './store-app.js'

export interface OpenStore extends FuzzStore {
  /** Ends its server. */
  stop (): Promise<void>
}

/** A task that an app took as it closed runs again soon. */
const LOST = { lockDuration: 3000, stalledInterval: 500 }

function bullmqStore (options: Pick<BullmqEngineOptions, 'connection' | 'postgres'>, stop: () => Promise<void>): OpenStore {
  return {
    isKept: true,
    async open (queue) {
      const engine = bullmqEngine({ ...options, queue, ...LOST })
      await engine.queue.waitUntilReady()
      return engine
    },
    stop
  }
}

/** Starts a store by its name. */
export const stores: Record<'memory' | 'redis' | 'postgres', () => Promise<OpenStore>> = {
  memory: async () => ({ ...memoryStore, stop: async () => {} }),
  async redis () {
    const server = await RedisServer.start()
    return bullmqStore({ connection: server.connection }, () => server.stop())
  },
  async postgres () {
    const server = await PostgresServer.start()
    return bullmqStore({ postgres: server.connectionString }, () => server.stop())
  }
}
