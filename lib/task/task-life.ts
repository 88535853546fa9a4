import { AsyncResource } from 'node:async_hooks'
import type { TaskState } from '../../types/index.js'
import { Cancelled } from './cancelled.js'
import { nowMs } from '../base/clock.js'
import { isFinal } from '../base/snapshot.js'

// The resource keeps the async context of `add`. No code here uses its destroy hook, so Node.js need not track its collection.
export const RESOURCE_OPTIONS = { requireManualDestroy: true }

/** The value of `startedAt` before the start, and of `finishedAt` before the end. */
const NOT_YET = -1

/** The state, times and outcome of a task. Times are milliseconds on the monotonic clock. */
export class TaskLife extends AsyncResource {
  state: TaskState = 'waiting'
  attempt = 1
  readonly createdAt = nowMs()
  startedAt = NOT_YET
  finishedAt = NOT_YET
  /** The result of a completed task, or the error of a failed or delayed one. Of a cancelled task, its error or a `Cancelled`. */
  outcome: unknown = undefined

  constructor (readonly name: string) {
    super('BackgroundTask', RESOURCE_OPTIONS)
  }

  get finished (): boolean {
    return isFinal(this.state)
  }

  /** Whether the first attempt has started. */
  get hasStarted (): boolean {
    return this.startedAt !== NOT_YET
  }

  /** Whether the engine knows the task. */
  get isStored (): boolean {
    return false
  }

  get result (): any {
    return this.state === 'completed' ? this.outcome : undefined
  }

  get error (): unknown {
    if (this.state === 'cancelled' && this.outcome instanceof Cancelled) this.outcome = this.outcome.toError(this.name)
    return this.state === 'failed' || this.state === 'cancelled' ? this.outcome : undefined
  }
}
