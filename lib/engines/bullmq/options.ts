import type { MetricsOptions, PostgresConnectionOptions, RateLimiterOptions, RedisOptions, Telemetry } from 'bullmq'
import { errors } from '../../errors.js'
import { MAX_DELAY_MS, type Rule, type Rules, checkOptions, integer, isObject, text } from '../../options/rules.js'

/** Options of `bullmqEngine`. Exactly one of `connection` and `postgres` is needed. */
export interface BullmqEngineOptions {
  /** The connection to Redis or Valkey: ioredis options, which may be `{ url }`. Needs `ioredis`. */
  connection?: RedisOptions
  /** The connection to PostgreSQL: a connection string, options of `pg.Pool`, or a pool. Needs `pg`. */
  postgres?: PostgresConnectionOptions
  /**
   * Name of the BullMQ queue. All processes of an app use the same one.
   * @default 'background-tasks'
   */
  queue?: string
  /**
   * How many tasks this process takes at once, at least 1.
   * @default the `concurrency` of the plugin, or 10
   */
  concurrency?: number
  /**
   * Milliseconds that a worker may be silent before its tasks count as lost, at least 1000. A task that blocks the event loop
   * for longer runs twice.
   * @default 10000
   */
  lockDuration?: number
  /**
   * Milliseconds between two looks for lost tasks, at least 100.
   * @default 5000
   */
  stalledInterval?: number
  /**
   * Milliseconds that a finished task can be looked up, at least 1000. An older completed task is removed when another task
   * completes. An older failed or cancelled task is removed when another one fails or is cancelled.
   * @default 86400000, a day
   */
  removeAfter?: number
  /**
   * The text in front of all Redis keys. The same as the option of BullMQ.
   * @default 'bull'
   */
  prefix?: string
  /** The option `limiter` of BullMQ: how many tasks start in a time, over all processes. */
  limiter?: RateLimiterOptions
  /** The option `metrics` of BullMQ. */
  metrics?: MetricsOptions
  /** The option `telemetry` of BullMQ, for the spans that BullMQ makes. */
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
