import { BullmqEngine } from './engines/bullmq/engine.js'
import { explainMissing } from './engines/bullmq/missing.js'
import type { BullmqModule } from './engines/bullmq/module.js'
import type { BullmqEngineOptions } from './engines/bullmq/options.js'

export type { BullmqEngine, BullmqEngineOptions }

/** The CommonJS twin of bullmq.mts: what loads BullMQ, and says what to install, differs with the module system. */
const bullmq = load()

function load (): BullmqModule {
  try {
    return require('bullmq')
  } catch (error) {
    return explainMissing(error)
  }
}

/**
 * An engine that keeps tasks in Redis, Valkey or PostgreSQL through BullMQ: they survive a crash and are run by any
 * process that shares the store.
 * @throws FST_BGT_INVALID_OPTIONS when an option is unknown or wrong
 */
export function bullmqEngine (options: BullmqEngineOptions): BullmqEngine {
  return new BullmqEngine(bullmq, options)
}
