import type { FastifyBaseLogger } from 'fastify'
import type { WaitUntilOptions } from '../../types/index.js'
import { isThenable } from '../run/attempt.js'
import { describe, errors } from '../errors.js'
import { waitUntilName } from '../options/plugin-options.js'
import type { Admission } from '../task/admission.js'

/**
 * The name of the task that follows a promise. If this function throws, it logs a rejection of the promise. A rejection that
 * is not handled would end the process.
 * @throws FST_BGT_INVALID_TASK when the value is no promise, FST_BGT_INVALID_OPTIONS, FST_BGT_CLOSED
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
