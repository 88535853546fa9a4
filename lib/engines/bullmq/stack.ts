import type { TaskErrorSnapshot } from '../../../types/index.js'
import { toKeepable } from '../../base/text.js'

/** Gives the error for BullMQ the stack of the error that the handler threw. Dashboards show the stack. */
export function withStackOf<Failure extends Error> (thrown: unknown, { name, message }: TaskErrorSnapshot, failure: Failure): Failure {
  failure.stack = toKeepable(stackOf(thrown) ?? `${name}: ${message}`)
  return failure
}

function stackOf (thrown: unknown): string | undefined {
  try {
    const stack = thrown instanceof Error ? thrown.stack : undefined
    return typeof stack === 'string' ? stack : undefined
  } catch {
    // A proxy or a getter may throw.
    return undefined
  }
}
