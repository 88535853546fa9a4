import { errors, describe, messageOf } from '../errors.js'

/**
 * A copy of the value as JSON makes it, so that later changes do not leak in. `what` stands in the message.
 * @throws FST_BGT_INVALID_PAYLOAD when JSON cannot say the value
 */
export function copyJson (value: unknown, what: string): unknown {
  let json: string | undefined
  try {
    const copy = copyPlain(value, 0)
    if (copy !== UNKNOWN) return copy
    // JSON makes null of NaN and of Infinity.
    json = typeof value === 'number' ? undefined : JSON.stringify(value)
  } catch (cause) {
    throw new errors.FST_BGT_INVALID_PAYLOAD(`${what} must be JSON: ${messageOf(cause)}`, { cause })
  }
  if (json === undefined) throw new errors.FST_BGT_INVALID_PAYLOAD(`${what} must be JSON, received ${describe(value)}`)
  return JSON.parse(json)
}

const UNKNOWN = Symbol('unknown')
const MAX_PLAIN_DEPTH = 8

/** The same copy several times as fast of what is plain, as almost all is; `UNKNOWN` of anything that JSON has to judge. */
function copyPlain (value: unknown, depth: number): unknown {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  // JSON makes 0 of -0.
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : UNKNOWN
  if (typeof value !== 'object' || depth === MAX_PLAIN_DEPTH || (value as { toJSON?: unknown }).toJSON !== undefined) return UNKNOWN
  if (Array.isArray(value)) return copyArray(value, depth)
  return Object.getPrototypeOf(value) === Object.prototype ? copyObject(value as Record<string, unknown>, depth) : UNKNOWN
}

function copyArray (value: unknown[], depth: number): unknown {
  const copy: unknown[] = []
  for (let index = 0; index < value.length; index++) {
    const item = copyPlain(value[index], depth + 1)
    if (item === UNKNOWN) return UNKNOWN
    copy.push(item)
  }
  return copy
}

function copyObject (value: Record<string, unknown>, depth: number): unknown {
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const property = value[key]
    if (property === undefined) continue
    const item = copyPlain(property, depth + 1)
    // To set __proto__ would change what the copy inherits; to set what a frozen prototype has throws.
    if (item === UNKNOWN || key in Object.prototype) return UNKNOWN
    copy[key] = item
  }
  return copy
}
