import type { FastifyBaseLogger } from 'fastify'

/** What holds a task that is in no list: a capture of a test, or another process. */
export interface Holder {
  /** Cancels the task where this process can. */
  cancel (reason: unknown): boolean
}

/** What only some tasks have: made when the first of it is asked for. */
export class TaskExtras {
  // Declared only: a field that is set, if to undefined, takes its room in each of them.
  declare id?: string
  declare log?: FastifyBaseLogger
  declare progress?: unknown
  declare abortReason?: unknown
  declare holder?: Holder | undefined
  /** Begins the time that the attempt may take. */
  declare startClock?: (() => void) | undefined
  /** Ends an attempt that runs out of time, or starts the next one after a backoff. */
  declare timer?: NodeJS.Timeout | undefined
  /** Ends the trace of the attempt that runs. */
  declare endTrace?: ((failed: boolean, value: unknown) => void) | undefined
  /** Wall clock less monotonic clock, taken once so that a task's times never contradict each other. */
  declare epochMs?: number
  private declare controller?: AbortController | undefined

  /** The signal of the attempt that runs. `reason`: why it has aborted before anybody asked for it. */
  signal (reason: unknown): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (reason !== undefined) this.controller.abort(reason)
    }
    return this.controller.signal
  }

  /** Aborts the signal, if somebody has asked for it. */
  abortSignal (reason: unknown): void {
    this.controller?.abort(reason)
  }

  /** The next attempt begins with a signal that has not aborted. */
  renewSignal (): void {
    if (this.abortReason !== undefined) this.controller = this.abortReason = undefined
  }

  /** The attempt that ran, or the backoff after it, is over: frees what belonged to it. */
  endAttempt (failed: boolean, value: unknown): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.endTrace?.(failed, value)
    this.endTrace = this.startClock = undefined
  }
}
