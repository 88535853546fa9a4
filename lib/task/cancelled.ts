import { errors } from '../errors.js'

/**
 * Stands for the error of a cancelled task until the error is read. `clear` may drop a hundred thousand tasks, and hardly any
 * of their errors is ever read.
 */
export class Cancelled {
  constructor (readonly reason: unknown) {}

  toError (name: string): Error {
    return new errors.FST_BGT_CANCELLED(name, { cause: this.reason })
  }
}

/** Stands for the error of each task that `clear` drops. */
export const CLEARED = new Cancelled('cleared')

/**
 * The outcome of a cancelled task. A task that has started gets the error itself: its signal and its log line need one.
 */
export function cancellation ({ name, hasStarted }: { name: string, hasStarted: boolean }, reason: unknown): Cancelled | Error {
  const cancelled = reason instanceof Cancelled ? reason : new Cancelled(reason)
  return hasStarted ? cancelled.toError(name) : cancelled
}
