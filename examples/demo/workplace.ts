import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { type LocalRedis, startRedis } from './redis.js'
import { startProcess } from './start-process.js'

/** A Redis, and a worker that takes tasks from it. */
export interface Workplace {
  redis: LocalRedis
  worker: ChildProcess
}

/** Resolves when the worker is ready, or to undefined where the machine has no redis-server. */
export async function openWorkplace (): Promise<Workplace | undefined> {
  const redis = await startRedis()
  if (redis === undefined) return undefined
  const worker = startProcess('video-worker', [String(redis.port)])
  await once(worker, 'message')
  return { redis, worker }
}
