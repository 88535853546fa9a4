/** The retries of a stored task. The host decides on each retry, not the engine. */
export interface StoredRetry {
  retries: number
  delay: number
  factor: number
  maxDelay: number
  jitter: boolean
  /** Whether the definition's `retryIf` is asked. */
  conditional?: boolean
}

/**
 * A registered task as an engine keeps it: plain JSON without U+0000 and half surrogate pairs. Progress, results and errors are
 * such JSON too.
 */
export interface StoredTask {
  /** A UUID. The id stays the same in all processes and attempts. */
  readonly id: string
  readonly name: string
  readonly payload: unknown
  /** Milliseconds since 1970, as of `Date.now()`. Formatting the time would cost more than the rest of storing. */
  readonly createdAt: number
  /** Milliseconds that one attempt may take. The host enforces the timeout, not the engine. */
  readonly timeout?: number
  /** Absent when a failure is final. */
  readonly retry?: StoredRetry
  /** Milliseconds before the first attempt may start. */
  readonly delay?: number
  /** While an unfinished task of this name has the key, adding another task gives the unfinished one. */
  readonly key?: string
  /** A task with a lower value starts first. Absent means 0, the lowest value. */
  readonly priority?: number
  /** The id of the request that added the task, for the log lines of its attempts. */
  readonly reqId?: string
  /** The trace of the code that added the task, if OpenTelemetry is installed: W3C headers by default. */
  readonly trace?: Readonly<Record<string, string>>
}

/** What the snapshot of a stored task does not show. None of it changes while the task is stored. */
export type StoredPayload = Pick<StoredTask, 'payload' | 'reqId' | 'key'>
