import type { ThreadOptions } from '../../types/index.js'
import { errors } from '../errors.js'
import { type Rule, boolean, func, integer, isObject, number, oneOf } from './rules.js'

const object: Rule = { must: 'an object', check: isObject }
const texts: Rule = {
  must: 'an array of strings', check: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string')
}

/** The options of piscina, without `filename` and `name`. */
export const THREAD_RULES: Readonly<Record<string, Rule>> = {
  minThreads: integer(0),
  maxThreads: integer(1),
  idleTimeout: { ...number(0, Infinity), must: 'a number >= 0' },
  maxQueue: { must: "an integer >= 0 or 'auto'", check: (value) => value === 'auto' || integer(0).check(value) },
  // The end of a thread ends all its tasks, so a thread may have only one.
  concurrentTasksPerWorker: { must: '1', check: (value) => value === 1 },
  atomics: oneOf('sync', 'async', 'disabled'),
  resourceLimits: object,
  argv: texts,
  execArgv: texts,
  // The symbol is SHARE_ENV of node:worker_threads.
  env: { must: 'an object or a symbol', check: (value) => isObject(value) || typeof value === 'symbol' },
  workerData: { must: 'anything', check: () => true },
  taskQueue: object,
  niceIncrement: integer(Number.MIN_SAFE_INTEGER),
  trackUnmanagedFds: boolean,
  closeTimeout: number(0),
  recordTiming: boolean,
  stricterFIFO: boolean,
  loadBalancer: func,
  workerHistogram: boolean
}

/** @throws FST_BGT_INVALID_OPTIONS when `minThreads` is greater than `maxThreads` */
export function assertPossible ({ minThreads, maxThreads }: ThreadOptions): void {
  if (minThreads === undefined || maxThreads === undefined || minThreads <= maxThreads) return
  throw new errors.FST_BGT_INVALID_OPTIONS(
    `option "threads.minThreads" must be at most "threads.maxThreads", which is ${maxThreads}, received ${minThreads}`)
}
