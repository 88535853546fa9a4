import { errors, describe, messageOf } from '../errors.js'
import { isKeepable, toKeepableJson } from './text.js'

/** The most levels of a value. V8 can clone so many on every version of Node.js, and PostgreSQL can store them. */
const MAX_DEPTH = 1000

/**
 * Copies a value by way of JSON, so that later changes to the value do not leak in. `what` names the value in messages.
 * @throws FST_BGT_INVALID_PAYLOAD when the value is not JSON, or a store cannot keep its text
 */
export function copyJson (value: unknown, what: string): unknown {
  const plain = tryPlain(value)
  if (plain !== UNKNOWN) return plain
  const copy = JSON.parse(stringify(value, what))
  checkKeepable(copy, what, 0)
  return copy
}

/**
 * Copies a value by way of JSON, with U+FFFD in place of text that a store cannot keep.
 * @throws FST_BGT_INVALID_PAYLOAD when the value is not JSON
 */
export function copyKeepable (value: unknown, what: string): unknown {
  const plain = tryPlain(value)
  return plain === UNKNOWN ? parseKeepable(stringify(value, what), what) : plain
}

/**
 * Parses the output of JSON.stringify, with U+FFFD in place of text that a store cannot keep.
 * @throws FST_BGT_INVALID_PAYLOAD when the value is too deep
 */
export function parseKeepable (json: string, what: string): unknown {
  const value = JSON.parse(toKeepableJson(json))
  checkKeepable(value, what, 0)
  return value
}

function stringify (value: unknown, what: string): string {
  let json: string | undefined
  try {
    // JSON.stringify would write NaN and Infinity as null.
    json = typeof value === 'number' ? undefined : JSON.stringify(value)
  } catch (cause) {
    throw new errors.FST_BGT_INVALID_PAYLOAD(`${what} must be JSON: ${messageOf(cause)}`, { cause })
  }
  if (json === undefined) throw new errors.FST_BGT_INVALID_PAYLOAD(`${what} must be JSON, received ${describe(value)}`)
  return json
}

/** `path` names the value in messages, in the form of Ajv: `payload/list/0`. */
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
    // A getter or a proxy has thrown. JSON.stringify throws again, and its error is reported.
    return UNKNOWN
  }
}

/** Copies a plain value several times as fast as JSON does. Almost all values are plain. For any other, returns `UNKNOWN`. */
function copyPlain (value: unknown, depth: number): unknown {
  if (typeof value === 'string') return isKeepable(value) ? value : UNKNOWN
  if (typeof value === 'boolean' || value === null) return value
  // JSON writes -0 as 0.
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
    // Setting `__proto__` would change the prototype of the copy. Setting a member of a frozen prototype throws.
    if (item === UNKNOWN || key in Object.prototype || !isKeepable(key)) return UNKNOWN
    copy[key] = item
  }
  return copy
}
