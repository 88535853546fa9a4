import type { TaskErrorSnapshot } from '../../../types/index.js'
import { toKeepable } from '../../base/text.js'

/** Gives the error, by which BullMQ learns of a failed attempt, the stack of what the handler threw: dashboards show it. */
export function withStackOf<Failure extends Error> (thrown: unknown, { name, message }: TaskErrorSnapshot, failure: Failure): Failure {
  failure.stack = toKeepable(stackOf(thrown) ?? `${name}: ${message}`)
  return failure
}

function stackOf (thrown: unknown): string | undefined {
  try {
    const stack = thrown instanceof Error ? thrown.stack : undefined
    return typeof stack === 'string' ? stack : undefined
  } catch {
    // A proxy, or a getter, that throws.
    return undefined
  }
}
