import type { TaskErrorSnapshot, TaskState } from '../../types/index.js'
import { messageOf } from '../errors.js'
import { toKeepable } from './text.js'

/** Whether a task in this state has ended. */
export function isFinal (state: TaskState): boolean {
  return state !== 'waiting' && state !== 'active' && state !== 'delayed'
}

/** An error, or whatever else was thrown, as it may leave the process: without its stack, in text that every store can keep. */
export function errorSnapshot (thrown: unknown): TaskErrorSnapshot {
  try {
    return thrown instanceof Error ? snapshotOf(thrown) : { name: 'Error', message: toKeepable(messageOf(thrown)) }
  } catch {
    // A proxy, or a getter, that throws.
    return { name: 'Error', message: 'an error that cannot be read' }
  }
}

function snapshotOf ({ name, message, code }: Error & { code?: unknown }): TaskErrorSnapshot {
  return {
    name: toKeepable(String(name)), ...(typeof code === 'string' && { code: toKeepable(code) }), message: toKeepable(String(message))
  }
}
