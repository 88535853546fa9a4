import type { FastifyBaseLogger } from 'fastify'
import type { StoredTask, Task } from '../../types/index.js'

/** What only some tasks have: made when the first of it is asked for. */
export interface TaskExtras {
  id?: string
  /** Of a registered task: nobody has read its id, so nobody can ask this process for it. */
  isIdUnread?: boolean
  log?: FastifyBaseLogger
  progress?: unknown
  controller?: AbortController | undefined
  abortReason?: unknown
  /** Begins the time that the attempt may take. */
  startClock?: (() => void) | undefined
  /** Ends an attempt that runs out of time, or starts the next one after a backoff. */
  timer?: NodeJS.Timeout | undefined
  /** Ends the trace of the attempt that runs. */
  endTrace?: ((failed: boolean, value: unknown) => void) | undefined
  /** Of a registered task: what its engine keeps. */
  stored?: StoredTask
  /** Of a registered task: the engine has it, and will run it here. */
  isStored?: boolean
  /** Of a registered task: when its delay was over and it began to wait, on the monotonic clock. */
  dueAt?: number
  /** The task is in no list of this process: the engine has it and this is a receipt, or a test has captured it. */
  isGone?: boolean
  /** Cancels a task that is gone, where this process can. */
  cancelGone?: (reason: unknown) => boolean
  /** The task that has the key, and runs instead of this one. */
  mergedInto?: Task
  /** Of a task that an engine runs: the attempt as the engine sees it. */
  run?: StoredRun | undefined
  /** Wall clock less monotonic clock, taken once so that a task's times never contradict each other. */
  epochMs?: number
}

/** An attempt of a stored task, as its engine sees it. */
export interface StoredRun {
  /** Whether the task outlives this process. */
  readonly survives: boolean
  /** The attempt has ended, and unless `delay` milliseconds are given the task with it. */
  end (delay?: number): void
  progress (value: unknown): void
}
