import { errors } from '../errors.js'

/** Stands for the error of a cancelled task until somebody reads it: of a hundred thousand cleared tasks hardly anybody does. */
export class Cancelled {
  constructor (readonly reason: unknown) {}

  toError (name: string): Error {
    return new errors.FST_BGT_CANCELLED(name, { cause: this.reason })
  }
}

/** Of the tasks that `clear` drops. */
export const CLEARED = new Cancelled('cleared')

/** What a cancelled task ends with: an error if it has started, as its signal and its log line need one. */
export function cancellation ({ name, startedAt }: { name: string, startedAt: number }, reason: unknown): Cancelled | Error {
  const cancelled = reason instanceof Cancelled ? reason : new Cancelled(reason)
  return startedAt < 0 ? cancelled : cancelled.toError(name)
}
