import type { TaskErrorSnapshot, TaskState } from '../../types/index.js'
import { type ErrorLike, isErrorLike, messageOf } from '../errors.js'
import { toKeepable } from './text.js'

/** Characters of an error's message, name or code that a snapshot keeps: history and stores hold many. */
const MAX_LENGTH = 4096

/** Whether a task in this state has ended. */
export function isFinal (state: TaskState): boolean {
  return state !== 'waiting' && state !== 'active' && state !== 'delayed'
}

/** An error, or whatever else was thrown, as it may leave the process: without its stack, in text that every store can keep. */
export function errorSnapshot (thrown: unknown): TaskErrorSnapshot {
  try {
    return snapshotOf(isErrorLike(thrown) ? thrown : { message: messageOf(thrown) })
  } catch {
    // A proxy, or a getter, that throws.
    return { name: 'Error', message: 'an error that cannot be read' }
  }
}

function snapshotOf ({ name = 'Error', message, code }: ErrorLike): TaskErrorSnapshot {
  return { name: cut(name), ...(typeof code === 'string' && { code: cut(code) }), message: cut(message) }
}

function cut (value: unknown): string {
  const text = toKeepable(String(value))
  // Copied, because a slice keeps the whole text in memory. The copy has U+FFFD in place of a surrogate pair cut in half.
  return text.length > MAX_LENGTH ? Buffer.from(`${text.slice(0, MAX_LENGTH - 1)}…`).toString() : text
}
