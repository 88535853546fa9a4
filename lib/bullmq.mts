import { BullmqEngine } from './engines/bullmq/engine.js'
import { explainMissing } from './engines/bullmq/missing.js'
import type { BullmqEngineOptions } from './engines/bullmq/options.js'

export type { BullmqEngine, BullmqEngineOptions }

const bullmq = await import('bullmq').catch(explainMissing)

/**
 * Makes an engine that keeps tasks in Redis, Valkey or PostgreSQL through BullMQ. The tasks survive a crash, and any process
 * that shares the store can run them.
 * @throws FST_BGT_INVALID_OPTIONS when an option is unknown or wrong
 */
export function bullmqEngine (options: BullmqEngineOptions): BullmqEngine {
  return new BullmqEngine(bullmq, options)
}
