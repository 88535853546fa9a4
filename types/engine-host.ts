import type { FastifyBaseLogger } from 'fastify'
import type { StoredTask } from './stored-task.js'
import type { TaskErrorSnapshot } from './task.js'

/** The engine's side of one attempt, which the engine passes to `run`. */
export interface RunControl {
  /** 1 for the first attempt, and one more for each retry. An interrupted attempt keeps its number when it runs again. */
  readonly attempt: number
  /** The engine aborts the signal when the task is cancelled, with the reason given to `cancel`. */
  readonly signal: AbortSignal
  /**
   * For an engine that makes the signal only when it is read. The host gives a listener for the cancellation, which the engine
   * calls with the reason, or at once when the task is cancelled already. The host then leaves the signal alone.
   */
  onCancel? (listener: (reason: unknown) => void): void
  /** The host calls `progress` with each progress value, which is JSON. */
  progress (value: unknown): void
  /** For an engine that keeps stacks. The host calls `failed` with the thrown value of a failed attempt, before `run` resolves. */
  failed? (thrown: unknown): void
}

/** The outcome of an attempt. */
export type RunOutcome =
  | { state: 'completed', result?: unknown }
  | { state: 'failed', error: TaskErrorSnapshot }
  /** The attempt failed. The next attempt is due in `delay` milliseconds. */
  | { state: 'delayed', error: TaskErrorSnapshot, delay: number }
  | { state: 'cancelled', error: TaskErrorSnapshot }
  /**
   * This process gives the task back. Any worker runs it again with the same attempt number, not before `delay` milliseconds
   * from now.
   */
  | { state: 'interrupted', delay?: number }

/** The plugin's side of an engine, which the plugin passes to `start`. */
export interface EngineHost {
  readonly log: FastifyBaseLogger
  /** Whether this process runs stored tasks. */
  readonly worker: boolean
  /** The option `concurrency` of the plugin. */
  readonly concurrency: number | undefined
  /** How many finished tasks an engine in memory keeps. */
  readonly history: number
  /** Runs one attempt of a stored task, with validation, timeout, log lines and `onError`. Never rejects. */
  run (task: StoredTask, control: RunControl): Promise<RunOutcome>
  /**
   * Tells the host that the delay of a task is over, but the task cannot start at once. Called only by an engine whose tasks
   * never leave this process.
   */
  due? (id: string): void
  /**
   * Tells the host that a task waits again because of `retry`. Called before the task can start, and only by an engine whose
   * tasks never leave this process.
   */
  retried? (task: StoredTask): void
}
