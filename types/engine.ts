import type { FastifyBaseLogger } from 'fastify'
import type { TaskErrorSnapshot, TaskSnapshot } from './task.js'

/** How often and when a stored task is tried again; the host decides, not the engine. */
export interface StoredRetry {
  retries: number
  delay: number
  factor: number
  maxDelay: number
  jitter: boolean
  /** Whether the definition's `retryIf` is asked. */
  conditional?: boolean
}

/** A registered task as an engine keeps it: plain JSON, without U+0000 and halves of surrogate pairs. So is all that comes later. */
export interface StoredTask {
  /** A UUID: the id of the task for ever, whoever runs it and however often. */
  readonly id: string
  readonly name: string
  readonly payload: unknown
  /** Milliseconds since 1970, as those of `Date.now()`: to format the time costs more than all else that is stored. */
  readonly createdAt: number
  /** Milliseconds one attempt may take. The host keeps it, not the engine. */
  readonly timeout?: number
  /** Absent where a failure is final. */
  readonly retry?: StoredRetry
  /** Milliseconds before the first attempt may start. */
  readonly delay?: number
  /** While an unfinished task of this name has the key, adding another one gives that one. */
  readonly key?: string
  /** Lower runs first; absent is 0, the lowest. */
  readonly priority?: number
  /** The id of the request that added the task, for the log lines of whoever runs it. */
  readonly reqId?: string
  /** The trace that the adding request is part of, where OpenTelemetry is there: W3C headers by default. */
  readonly trace?: Readonly<Record<string, string>>
}

/** What an engine gives to one attempt. */
export interface RunControl {
  /** 1 for the first attempt, one more for each retry. An attempt that was interrupted counts once. */
  readonly attempt: number
  /** Aborted by the engine when the task is cancelled, with the reason given to `cancel`. */
  readonly signal: AbortSignal
  /** Called with each progress value, a JSON value. */
  progress (value: unknown): void
  /** Given by an engine that keeps stacks. Called with what a failed attempt has thrown, before `run` resolves. */
  failed? (thrown: unknown): void
}

/** How an attempt ended. */
export type RunOutcome =
  | { state: 'completed', result?: unknown }
  | { state: 'failed', error: TaskErrorSnapshot }
  /** Failed, to be run again `delay` milliseconds from now with the next attempt number. */
  | { state: 'delayed', error: TaskErrorSnapshot, delay: number }
  | { state: 'cancelled', error: TaskErrorSnapshot }
  /**
   * Not run to an end here: give the task back, to be run again with the same attempt number, elsewhere if need be, and
   * not before `delay` milliseconds from now.
   */
  | { state: 'interrupted', delay?: number }

/** What an engine gets from the plugin. */
export interface EngineHost {
  readonly log: FastifyBaseLogger
  /** Whether this process runs stored tasks. */
  readonly worker: boolean
  /** The plugin option, if given. */
  readonly concurrency: number | undefined
  /** How many finished tasks an engine that keeps them in memory keeps. */
  readonly history: number
  /** Runs one attempt of a stored task: validation, timeout, log lines and onError included. Never rejects. */
  run (task: StoredTask, control: RunControl): Promise<RunOutcome>
  /**
   * Called by an engine whose tasks never leave this process: the delay of a task is over, but it cannot run at once and
   * waits from now on.
   */
  due? (id: string): void
}

/**
 * Keeps registered tasks and has them run: at least once, by any process that is a worker.
 *
 * An engine promises: `add` stores all tasks or none, in one step; a stored task is run until an attempt completes,
 * fails for good, or the task is cancelled, by one worker at a time; delay, key and priority as StoredTask says; the
 * snapshot of `get` follows the task through every state.
 *
 * Not its business: validating payloads, timeouts, deciding on retries, log lines, `when`. Not promised: exactly once,
 * an order between tasks of the same priority across processes, a time by which a task runs.
 */
export interface Engine {
  /**
   * Only of an engine whose tasks never leave this process: the id of the unfinished task of this name that has the
   * key. Then the Task that `add` returned is the one that runs, and no reply waits for `add`: such an engine keeps the tasks
   * before it returns its promise. If the promise rejects, the tasks have failed, which is logged; the client gets its reply.
   */
  findLocal? (name: string, key: string): string | undefined
  /** Called once, when the app is ready. Must not wait for a store that cannot be reached. */
  start (host: EngineHost): void | Promise<void>
  /**
   * Stores the tasks. Resolves to one id each: the task's own, or that of the unfinished task that has its key.
   * A task whose id the engine knows changes nothing, whether the known task is unfinished or has ended.
   * May be called before `start`.
   */
  add (tasks: StoredTask[]): Promise<string[]>
  get (id: string): Promise<TaskSnapshot | undefined>
  /** A waiting or delayed task never runs; of an active one the signal is aborted. Resolves to whether it had an effect. */
  cancel (id: string, reason?: unknown): Promise<boolean>
  /** Calls `onChange` after each change of the task, perhaps too often; returns a function that ends it. */
  watch (id: string, onChange: () => void): () => void
  /** Takes no further tasks from a store that others share. Those that run go on. */
  pause (): void | Promise<void>
  /** Lets go of every connection and timer. Nothing runs any more when it is called. */
  close (): Promise<void>
}
