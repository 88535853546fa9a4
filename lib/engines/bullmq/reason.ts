import { describe } from '../../errors.js'
import { copyKeepable } from '../../base/json.js'
import { errorSnapshot } from '../../base/snapshot.js'
import { toKeepable } from '../../base/text.js'

/**
 * The reason of a cancellation as it is stored and sent to other processes: what JSON can say stays, an error becomes its
 * name, code and message, anything else the words for it in an error message. A reason never keeps a task from being
 * cancelled.
 */
export function toPlainReason (reason: unknown): unknown {
  if (reason === undefined) return undefined
  try {
    // JSON makes an empty object of an error.
    return reason instanceof Error ? errorSnapshot(reason) : copyKeepable(reason, 'the reason')
  } catch {
    return toKeepable(describe(reason))
  }
}
