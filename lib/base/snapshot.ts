import type { TaskErrorSnapshot, TaskState } from '../../types/index.js'
import { type ErrorLike, isErrorLike, messageOf } from '../errors.js'
import { toKeepable } from './text.js'

/** How many characters of an error's message, name or code a snapshot keeps. History and stores hold many snapshots. */
const MAX_LENGTH = 4096

/** Whether a task in this state has ended. */
export function isFinal (state: TaskState): boolean {
  return state !== 'waiting' && state !== 'active' && state !== 'delayed'
}

/** The snapshot of a thrown value: without a stack, and in text that every store can keep. */
export function errorSnapshot (thrown: unknown): TaskErrorSnapshot {
  try {
    return snapshotOf(isErrorLike(thrown) ? thrown : { message: messageOf(thrown) })
  } catch {
    // A proxy or a getter may throw.
    return { name: 'Error', message: 'an error that cannot be read' }
  }
}

function snapshotOf ({ name = 'Error', message, code }: ErrorLike): TaskErrorSnapshot {
  return { name: cut(name), ...(typeof code === 'string' && { code: cut(code) }), message: cut(message) }
}

function cut (value: unknown): string {
  const text = toKeepable(String(value))
  // The text is copied, because a slice keeps the whole text in memory. The copy has U+FFFD for half a surrogate pair.
  return text.length > MAX_LENGTH ? Buffer.from(`${text.slice(0, MAX_LENGTH - 1)}…`).toString() : text
}
