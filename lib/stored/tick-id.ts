import { createHash } from 'node:crypto'

/** A random UUID: the names below are unique in this package only. */
const NAMESPACE = 'd44e5aed-6cc9-460f-af78-de9411562d11'

/** The id of the task that a schedule adds at a time. It is the same in all processes. */
export function tickId (name: string, atMs: number): string {
  // The name of a task has no control character.
  return uuidV5(NAMESPACE, `${name}\n${atMs}`)
}

/** @see RFC 9562, section 5.5 */
export function uuidV5 (namespace: string, name: string): string {
  const hash = createHash('sha1').update(namespace.replaceAll('-', ''), 'hex').update(name).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  return hash.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
