/** Milliseconds to a tenth. */
export function round (ms: number): number {
  return Math.round(10 * ms) / 10
}
