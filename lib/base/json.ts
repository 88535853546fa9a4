import { errors, describe, messageOf } from '../errors.js'
import { isKeepable, toKeepableJson } from './text.js'

/** The levels of a value that V8 clones on every version of Node.js, with room to spare, and that PostgreSQL takes. */
const MAX_DEPTH = 1000

/**
 * A copy of the value as JSON makes it, so that later changes do not leak in. `what` stands in the message.
 * @throws FST_BGT_INVALID_PAYLOAD when JSON cannot say the value, or a store cannot keep its text
 */
export function copyJson (value: unknown, what: string): unknown {
  const plain = tryPlain(value)
  if (plain !== UNKNOWN) return plain
  const copy = JSON.parse(stringify(value, what))
  checkKeepable(copy, what, 0)
  return copy
}

/**
 * The same copy with U+FFFD in place of text that a store cannot keep.
 * @throws FST_BGT_INVALID_PAYLOAD when JSON cannot say the value
 */
export function copyKeepable (value: unknown, what: string): unknown {
  const plain = tryPlain(value)
  return plain === UNKNOWN ? parseKeepable(stringify(value, what), what) : plain
}

/**
 * The value that JSON.stringify has written, with U+FFFD in place of text that a store cannot keep.
 * @throws FST_BGT_INVALID_PAYLOAD when it is too deep
 */
export function parseKeepable (json: string, what: string): unknown {
  const value = JSON.parse(toKeepableJson(json))
  checkKeepable(value, what, 0)
  return value
}

function stringify (value: unknown, what: string): string {
  let json: string | undefined
  try {
    // JSON makes null of NaN and of Infinity.
    json = typeof value === 'number' ? undefined : JSON.stringify(value)
  } catch (cause) {
    throw new errors.FST_BGT_INVALID_PAYLOAD(`${what} must be JSON: ${messageOf(cause)}`, { cause })
  }
  if (json === undefined) throw new errors.FST_BGT_INVALID_PAYLOAD(`${what} must be JSON, received ${describe(value)}`)
  return json
}

/** `path` stands in the message: that of a value inside is as Ajv writes it. */
function checkKeepable (value: unknown, path: string, depth: number): void {
  if (typeof value === 'string') checkText(value, path)
  if (typeof value !== 'object' || value === null) return
  if (depth === MAX_DEPTH) {
    const [what] = path.split('/', 1)
    throw new errors.FST_BGT_INVALID_PAYLOAD(`${what} must be at most ${MAX_DEPTH} levels deep, received more`)
  }
  for (const [key, item] of Object.entries(value)) {
    checkText(key, path)
    checkKeepable(item, `${path}/${key}`, depth + 1)
  }
}

function checkText (text: string, path: string): void {
  if (isKeepable(text)) return
  throw new errors.FST_BGT_INVALID_PAYLOAD(`${path} must hold neither U+0000 nor half a surrogate pair, received ${describe(text)}`)
}

const UNKNOWN = Symbol('unknown')
const MAX_PLAIN_DEPTH = 8

function tryPlain (value: unknown): unknown {
  try {
    return copyPlain(value, 0)
  } catch {
    // A getter, or a proxy, that throws: JSON.stringify says so.
    return UNKNOWN
  }
}

/** The same copy several times as fast of what is plain, as almost all is; `UNKNOWN` of anything that JSON has to judge. */
function copyPlain (value: unknown, depth: number): unknown {
  if (typeof value === 'string') return isKeepable(value) ? value : UNKNOWN
  if (typeof value === 'boolean' || value === null) return value
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
    if (item === UNKNOWN || key in Object.prototype || !isKeepable(key)) return UNKNOWN
    copy[key] = item
  }
  return copy
}
