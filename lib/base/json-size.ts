/** The most bytes that JSON makes of one UTF-16 unit: `\u0000`. */
const UNIT_BYTES = 6

/** The most bytes that JSON makes of a number, a boolean or null. */
const SCALAR_BYTES = 25

/** The size of a JSON value in bytes, or undefined up to `max`. A small value is estimated and not written as JSON. */
export function jsonBytesAbove (value: unknown, max: number): number | undefined {
  if (roomAfter(value, max) >= 0) return undefined
  const bytes = Buffer.byteLength(JSON.stringify(value))
  return bytes > max ? bytes : undefined
}

/** The least number of bytes of `room` that writing the value leaves. Negative when the value may not fit. */
function roomAfter (value: unknown, room: number): number {
  if (typeof value === 'string') return room - value.length * UNIT_BYTES - 2
  if (typeof value !== 'object' || value === null) return room - SCALAR_BYTES
  let left = room - 2
  for (const key in value) {
    // Two quotes, a colon and a comma are 4 bytes.
    left = roomAfter((value as Record<string, unknown>)[key], left - key.length * UNIT_BYTES - 4)
    if (left < 0) break
  }
  return left
}
