import type { FastifyBaseLogger } from 'fastify'
import type { WaitUntilOptions } from '../../types/index.js'
import { isThenable } from '../run/attempt.js'
import { describe, errors } from '../errors.js'
import { waitUntilName } from '../options/plugin-options.js'
import type { Admission } from '../task/admission.js'

/**
 * The name to follow a promise by. One that cannot be followed is taken charge of: its rejection must not end the process.
 * @throws FST_BGT_INVALID_TASK when it is no promise, FST_BGT_INVALID_OPTIONS, FST_BGT_CLOSED
 */
export function followedName (
  promise: PromiseLike<unknown>, options: WaitUntilOptions, admission: Admission, log: FastifyBaseLogger
): string {
  if (!isThenable(promise)) throw new errors.FST_BGT_INVALID_TASK('waitUntil takes a promise', describe(promise))
  try {
    const name = waitUntilName(options)
    admission.assertOpen(name)
    return name
  } catch (error) {
    Promise.resolve(promise).then(undefined, (err) => { log.error({ err }, 'background task failed') })
    throw error
  }
}
