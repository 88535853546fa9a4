import { BullmqEngine } from './engines/bullmq/engine.js'
import { explainMissing } from './engines/bullmq/missing.js'
import type { BullmqModule } from './engines/bullmq/module.js'
import type { BullmqEngineOptions } from './engines/bullmq/options.js'

export type { BullmqEngine, BullmqEngineOptions }

/** The twin of bullmq.mts for CommonJS. The module systems load BullMQ, and fail to load it, in different ways. */
const bullmq = load()

function load (): BullmqModule {
  try {
    return require('bullmq')
  } catch (error) {
    return explainMissing(error)
  }
}

/**
 * Makes an engine that keeps tasks in Redis, Valkey or PostgreSQL through BullMQ. The tasks survive a crash, and any process
 * that shares the store can run them.
 * @throws FST_BGT_INVALID_OPTIONS when an option is unknown or wrong
 */
export function bullmqEngine (options: BullmqEngineOptions): BullmqEngine {
  return new BullmqEngine(bullmq, options)
}
