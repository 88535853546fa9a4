import type { Retry } from '../options/retry-options.js'

/**
 * Milliseconds to wait before retry number `retry`, from 1 on. The delay grows exponentially up to `maxDelay`. With `jitter`,
 * the result is a random part of that delay.
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function nextDelay (retry: number, options: Retry, random: () => number = Math.random): number {
  // An infinite growth times a delay of 0 would be NaN.
  const growth = Math.min(options.factor ** (retry - 1), Number.MAX_VALUE)
  const ceiling = Math.min(options.maxDelay, options.delay * growth)
  return Math.round(options.jitter ? random() * ceiling : ceiling)
}
