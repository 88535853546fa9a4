import type { FastifyBaseLogger } from 'fastify'

/** Takes the place of a task's list when a test has captured the task, or another process runs it. */
export interface Holder {
  /** Cancels the task. Returns false when this process cannot. */
  cancel (reason: unknown): boolean
}

/** The holder of a task that this process cannot cancel. */
export const GONE: Holder = { cancel: () => false }

/** The fields that only some tasks need. A task gets its extras when the first of these fields is used. */
export class TaskExtras {
  // The fields are only declared: a field that is set takes memory in every instance, even when it is undefined.
  declare id?: string
  declare log?: FastifyBaseLogger
  declare progress?: unknown
  declare abortReason?: unknown
  declare holder?: Holder | undefined
  /** Starts the timeout of an attempt that has waited for a thread. */
  declare startClock?: (() => void) | undefined
  /** The timer of the timeout, or of the backoff before the next attempt. */
  declare timer?: NodeJS.Timeout | undefined
  /** When a delay is over, on the monotonic clock. */
  declare nextAt?: number
  /** Ends the trace of the attempt that runs. */
  declare endTrace?: ((failed: boolean, value: unknown) => void) | undefined
  /** Wall clock minus monotonic clock. Measured once, so that the times of a task never contradict each other. */
  declare epochMs?: number
  private declare controller?: AbortController | undefined

  /** The signal of the attempt that runs. `reason`: why the attempt was aborted before the signal was first read. */
  signal (reason: unknown): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (reason !== undefined) this.controller.abort(reason)
    }
    return this.controller.signal
  }

  /** Aborts the signal, if it was ever read. */
  abortSignal (reason: unknown): void {
    this.controller?.abort(reason)
  }

  /** Gives the next attempt a signal that has not aborted. */
  renewSignal (): void {
    if (this.abortReason !== undefined) this.controller = this.abortReason = undefined
  }

  /** Frees the timer and the trace of an attempt, or of the backoff after the attempt. */
  endAttempt (failed: boolean, value: unknown): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.endTrace?.(failed, value)
    this.endTrace = this.startClock = undefined
  }
}
