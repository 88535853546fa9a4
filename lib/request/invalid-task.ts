import { isThenable } from '../run/attempt.js'
import { describe, errors } from '../errors.js'
import { isPlainObject } from '../options/rules.js'

/** The error for an `add` whose first two arguments hold no task. */
export function invalidTask (first: unknown, second: unknown): Error {
  const promise = isThenable(first) ? first : second
  if (isThenable(promise)) {
    return new errors.FST_BGT_INVALID_TASK(
      'add takes a function: pass the function itself, not the promise it returns, or use waitUntil', describe(promise))
  }
  const received = isPlainObject(first) ? `options followed by ${describe(second)}` : describe(first)
  return new errors.FST_BGT_INVALID_TASK('add takes a function, options and a function, or a named task', received)
}
