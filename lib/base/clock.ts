/** Milliseconds on the monotonic clock. Whole, because V8 stores small integers without a heap number. */
export function nowMs (): number {
  return Math.floor(performance.now())
}
