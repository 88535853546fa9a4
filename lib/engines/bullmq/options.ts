import type { MetricsOptions, PostgresConnectionOptions, RateLimiterOptions, RedisOptions, Telemetry } from 'bullmq'
import { errors } from '../../errors.js'
import { MAX_DELAY_MS, type Rule, type Rules, checkOptions, integer, isObject, text } from '../../options/rules.js'

/** Options of `bullmqEngine`. Exactly one of `connection` and `postgres` is needed. */
export interface BullmqEngineOptions {
  /** Where Redis or Valkey is: ioredis options, `{ url }` among them. Needs `ioredis`. */
  connection?: RedisOptions
  /** Where PostgreSQL is: a connection string, options of `pg.Pool`, or a pool of one's own. Needs `pg`. */
  postgres?: PostgresConnectionOptions
  /**
   * Name of the BullMQ queue. All processes of an app use the same one.
   * @default 'background-tasks'
   */
  queue?: string
  /**
   * How many tasks this process takes at once, at least 1.
   * @default the plugin's concurrency, or 10
   */
  concurrency?: number
  /**
   * Milliseconds that a worker may be silent before its tasks are taken for lost, at least 1000. A task that blocks the
   * event loop for longer runs twice.
   * @default 10000
   */
  lockDuration?: number
  /**
   * Milliseconds between two looks for tasks that were lost, at least 100.
   * @default 5000
   */
  stalledInterval?: number
  /**
   * Milliseconds that a finished task can still be looked up. An older one goes when
   * another task ends as it did, completed or not. At least 1000.
   * @default 86400000, a day
   */
  removeAfter?: number
  /**
   * Put in front of all Redis keys, as BullMQ's option of this name.
   * @default 'bull'
   */
  prefix?: string
  /** BullMQ's limit on tasks in a time, over all processes. */
  limiter?: RateLimiterOptions
  /** BullMQ's metrics. */
  metrics?: MetricsOptions
  /** BullMQ's telemetry, for spans of its own. */
  telemetry?: Telemetry
}

const object: Rule = { must: 'an object', check: isObject }

const RULES: Rules<BullmqEngineOptions> = {
  connection: {
    must: 'ioredis options, not a client',
    check: (value) => isObject(value) && typeof (value as { connect?: unknown }).connect !== 'function'
  },
  postgres: { must: 'a connection string, pool options or a pool', check: (value) => text.check(value) || isObject(value) },
  queue: { must: "a non-empty string without ':'", check: (value) => text.check(value) && !value.includes(':') },
  concurrency: integer(1),
  lockDuration: integer(1000, MAX_DELAY_MS),
  stalledInterval: integer(100, MAX_DELAY_MS),
  removeAfter: integer(1000),
  prefix: text,
  limiter: object,
  metrics: object,
  telemetry: object
}

/** @throws FST_BGT_INVALID_OPTIONS when an option is wrong */
export function checkEngineOptions (options: BullmqEngineOptions): void {
  checkOptions(options, RULES)
  if ((options.connection === undefined) === (options.postgres === undefined)) {
    const received = options.connection === undefined ? 'neither' : 'both'
    throw new errors.FST_BGT_INVALID_OPTIONS(`bullmqEngine must be given either "connection" or "postgres", received ${received}`)
  }
}
