import type { Owner } from './task.js'

/** When the longest waiting task of the list began to wait, on the monotonic clock. Infinity when no task waits. */
export function oldestIn (list: Owner): number {
  let oldest = Infinity
  for (const { state, createdAt, waitingSince } of list) {
    if (state !== 'waiting') continue
    oldest = Math.min(oldest, waitingSince)
    // The tasks behind this one were added later.
    if (waitingSince === createdAt) break
  }
  return oldest
}
