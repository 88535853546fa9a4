import type { Retry } from '../options/retry-options.js'

/**
 * Milliseconds to wait before retry number `retry` (the first is 1): exponential, capped, with full jitter unless
 * switched off.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function nextDelay (retry: number, options: Retry, random: () => number = Math.random): number {
  // Infinity times a delay of 0 would not be a number.
  const growth = Math.min(options.factor ** (retry - 1), Number.MAX_VALUE)
  const ceiling = Math.min(options.maxDelay, options.delay * growth)
  return Math.round(options.jitter ? random() * ceiling : ceiling)
}
