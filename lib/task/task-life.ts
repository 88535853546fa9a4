import { AsyncResource } from 'node:async_hooks'
import type { TaskState } from '../../types/index.js'
import { Cancelled } from './cancelled.js'
import { nowMs } from '../base/clock.js'
import { isFinal } from '../base/snapshot.js'

// The resource keeps the async context of `add`. Without destroy hooks of our own, Node need not track its collection.
export const RESOURCE_OPTIONS = { requireManualDestroy: true }

/** What `startedAt` and `finishedAt` say until then. */
const NOT_YET = -1

/** How far a task has come, and with what it has ended. Times are milliseconds on the monotonic clock. */
export class TaskLife extends AsyncResource {
  state: TaskState = 'waiting'
  attempt = 1
  readonly createdAt = nowMs()
  startedAt = NOT_YET
  finishedAt = NOT_YET
  /** The result of a completed task, the error of a failed one; of a cancelled one too, or what stands for it. */
  outcome: unknown = undefined

  constructor (readonly name: string) {
    super('BackgroundTask', RESOURCE_OPTIONS)
  }

  get finished (): boolean {
    return isFinal(this.state)
  }

  /** Whether an attempt has begun, be it over. */
  get hasStarted (): boolean {
    return this.startedAt !== NOT_YET
  }

  get result (): any {
    return this.state === 'completed' ? this.outcome : undefined
  }

  get error (): unknown {
    if (this.state === 'cancelled' && this.outcome instanceof Cancelled) this.outcome = this.outcome.toError(this.name)
    return this.state === 'failed' || this.state === 'cancelled' ? this.outcome : undefined
  }
}
