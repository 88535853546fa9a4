import { errors, describe, messageOf } from './errors.js'

/**
 * A copy of the value as JSON makes it, so that later changes do not leak in. `what` stands in the message.
 * @throws FST_BGT_INVALID_PAYLOAD when JSON cannot say the value
 */
export function copyJson (value: unknown, what: string): unknown {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  let json: string | undefined
  try {
    // JSON makes null of NaN and of Infinity.
    json = typeof value === 'number' ? undefined : JSON.stringify(value)
  } catch (cause) {
    throw new errors.FST_BGT_INVALID_PAYLOAD(`${what} must be JSON: ${messageOf(cause)}`, { cause })
  }
  if (json === undefined) throw new errors.FST_BGT_INVALID_PAYLOAD(`${what} must be JSON, received ${describe(value)}`)
  return JSON.parse(json)
}
