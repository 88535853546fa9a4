/** Milliseconds on the monotonic clock. The value is whole, because V8 stores a small integer without a heap number. */
export function nowMs (): number {
  return Math.floor(performance.now())
}
