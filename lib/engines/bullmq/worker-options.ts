import type * as Bullmq from 'bullmq'
import type { EngineHost } from '../../../types/index.js'
import type { BullmqEngineOptions } from './options.js'
import { backoffOf } from './runner.js'

/** How long a worker waits after a failed fetch. The 15 seconds of BullMQ are the time within which lost tasks must run again. */
const RUN_RETRY_MS = 1000

/** A task may lose any number of workers. This is the largest integer that PostgreSQL takes. */
const MAX_STALLED_COUNT = 2 ** 31 - 1

/** The options of the worker of BullMQ. */
export function workerOptions (
  { concurrency, lockDuration = 10_000, stalledInterval = 5_000 }: BullmqEngineOptions, host: EngineHost
): Omit<Bullmq.WorkerOptions, 'connection'> {
  return {
    concurrency: concurrency ?? host.concurrency ?? 10,
    lockDuration,
    stalledInterval,
    runRetryDelay: RUN_RETRY_MS,
    maxStalledCount: MAX_STALLED_COUNT,
    settings: { backoffStrategy: (attemptsMade, type, error) => backoffOf(error) }
  }
}
