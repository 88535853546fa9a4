import { errors } from '../errors.js'
import { errorSnapshot } from '../base/snapshot.js'
import type { ThreadCall, ThreadOutcome, Thrown } from './call.js'

/** The result of a call. Throws the value that was thrown in the thread. */
export function resultOf ({ result, thrown, isFileAtFault }: ThreadOutcome, { file }: ThreadCall): unknown {
  if (thrown === undefined) return result
  const error = revive(thrown)
  if (isFileAtFault !== true) throw error
  throw new errors.FST_BGT_THREAD(`${file} does not work as a task: ${errorSnapshot(error).message}`, { cause: error })
}

/** The error of a call whose thread ended before the call did. */
export function lostThread ({ name }: ThreadCall, cause: Error): Error {
  return new errors.FST_BGT_THREAD(`the thread of task "${name}" has ended: ${cause.message}`, { cause })
}

/** The thrown value, with the name and properties that it had in the thread. */
function revive ({ value, name, fields }: Thrown): unknown {
  if (!(value instanceof Error)) return value
  Object.assign(value, fields)
  if (value.name !== name) Object.defineProperty(value, 'name', { value: name, configurable: true, writable: true })
  return value
}
