import { describe } from '../../errors.js'
import { copyKeepable } from '../../base/json.js'
import { errorSnapshot } from '../../base/snapshot.js'
import { toKeepable } from '../../base/text.js'

/**
 * The reason of a cancellation as plain JSON, for the store and other processes. A JSON value stays as it is. An error becomes
 * its name, code and message. Any other value becomes the words of `describe`, so that a reason never hinders a cancellation.
 */
export function toPlainReason (reason: unknown): unknown {
  if (reason === undefined) return undefined
  try {
    // JSON would turn an error into an empty object.
    return reason instanceof Error ? errorSnapshot(reason) : copyKeepable(reason, 'the reason')
  } catch {
    return toKeepable(describe(reason))
  }
}
