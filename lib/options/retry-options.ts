import type { RetryOptions } from '../../types/index.js'
import { MAX_DELAY_MS, type Rules, boolean, func, integer, isObject, number } from './rules.js'

/** BullMQ stores the attempts, one more than the retries. The largest integer of PostgreSQL is 2^31-1. */
const retries = integer(0, 2 ** 31 - 2)

export const RETRY_RULES: Rules<RetryOptions> = {
  retries: { ...retries, required: true },
  delay: number(0, MAX_DELAY_MS),
  factor: number(1),
  maxDelay: number(0, MAX_DELAY_MS),
  jitter: boolean,
  retryIf: func
}

/** The option `retry`: a number of retries, or an object. */
export const RETRY_RULE = {
  must: `${retries.must} or an object`,
  check: (value: unknown) => retries.check(value) || isObject(value),
  fields: RETRY_RULES
}

/** A retry option with every default filled in. */
export type Retry = Readonly<Required<Omit<RetryOptions, 'retryIf'>> & { retryIf: RetryOptions['retryIf'] }>

/** The defaults of the retry options. */
export const BACKOFF = { delay: 1000, factor: 2, maxDelay: 30_000, jitter: true }

/** Fills in the defaults of a retry option. Undefined when there are no retries. */
export function resolveRetry (retry: number | RetryOptions): Retry | undefined {
  const { retries, delay = BACKOFF.delay, factor = BACKOFF.factor, maxDelay = BACKOFF.maxDelay, jitter = BACKOFF.jitter, retryIf } =
    typeof retry === 'number' ? { retries: retry } : retry
  return retries === 0 ? undefined : Object.freeze({ retries, delay, factor, maxDelay, jitter, retryIf })
}
