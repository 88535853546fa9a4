import type { TaskQuery } from '../../types/index.js'
import { describe, errors } from '../errors.js'
import { isObject } from '../options/rules.js'

/** Where a page ends: after a task of this process, or where the engine says. Without `cursor` the engine begins. */
export type ListPlace = { readonly rank: number, readonly id: string } | { readonly cursor?: string }

/** The cursor of a place, for one state and name only. */
export function toCursor ({ state, name }: TaskQuery, place: ListPlace): string {
  return Buffer.from(JSON.stringify([state, name ?? '', place])).toString('base64url')
}

/** @throws FST_BGT_INVALID_OPTIONS when the cursor is no cursor of such a query */
export function fromCursor ({ state, name = '', cursor }: TaskQuery & { cursor: string }): ListPlace {
  try {
    const [ofState, ofName, place] = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    const found = toPlace(place)
    if (ofState === state && ofName === name && found !== undefined) return found
  } catch {
    // Not JSON, or no array.
  }
  throw new errors.FST_BGT_INVALID_OPTIONS(
    `option "cursor" must be that of a page of the same state and name, received ${describe(cursor)}`)
}

/** The place in a cursor, which comes from outside. Undefined for any other value. */
function toPlace (value: unknown): ListPlace | undefined {
  if (!isObject(value)) return undefined
  const { rank, id, cursor } = value as Record<string, unknown>
  if (typeof rank === 'number' && typeof id === 'string') return { rank, id }
  if (rank !== undefined || id !== undefined) return undefined
  if (cursor === undefined) return {}
  return typeof cursor === 'string' ? { cursor } : undefined
}
