/** The most bytes of JSON for one UTF-16 unit: `\u0000`. */
const UNIT_BYTES = 6

/** The most bytes of JSON for a number, a boolean or null. */
const SCALAR_BYTES = 25

/** All that JSON writes with an escape, and more. */
const ESCAPED = /["\\\p{Cc}]/u

/** The bytes of a JSON value as UTF-8 text if they are more than `max`, else undefined. Most values are only estimated. */
export function jsonBytesAbove (value: unknown, max: number): number | undefined {
  if (roomAfter(value, max) >= 0) return undefined
  const bytes = bytesOf(value)
  return bytes > max ? bytes : undefined
}

/** How much of `room` is left at the least once the value is written. */
function roomAfter (value: unknown, room: number): number {
  if (typeof value === 'string') return room - value.length * UNIT_BYTES - 2
  if (typeof value !== 'object' || value === null) return room - SCALAR_BYTES
  let left = room - 2
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length && left >= 0; at++) left = roomAfter(value[at], left - 1)
    return left
  }
  for (const key in value) {
    // The quotes, the colon and the comma.
    left = roomAfter((value as Record<string, unknown>)[key], left - key.length * UNIT_BYTES - 4)
    if (left < 0) break
  }
  return left
}

function bytesOf (value: unknown): number {
  if (typeof value === 'string') return ESCAPED.test(value) ? Buffer.byteLength(JSON.stringify(value)) : Buffer.byteLength(value) + 2
  if (typeof value !== 'object' || value === null) return String(value).length
  let bytes = 1
  if (Array.isArray(value)) {
    for (const item of value) bytes += bytesOf(item) + 1
    return Math.max(2, bytes)
  }
  for (const key in value) bytes += bytesOf(key) + bytesOf((value as Record<string, unknown>)[key]) + 2
  return Math.max(2, bytes)
}
