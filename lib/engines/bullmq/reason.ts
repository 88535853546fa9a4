import { describe } from '../../errors.js'
import { copyJson } from '../../base/json.js'
import { errorSnapshot } from '../../base/snapshot.js'

/**
 * The reason of a cancellation as it is stored and sent to other processes: what JSON can say stays, an error becomes its
 * name, code and message, anything else the words for it in an error message. A reason never keeps a task from being
 * cancelled.
 */
export function toPlainReason (reason: unknown): unknown {
  if (reason === undefined) return undefined
  try {
    // JSON makes an empty object of an error.
    return reason instanceof Error ? errorSnapshot(reason) : copyJson(reason, 'the reason')
  } catch {
    return describe(reason)
  }
}
