import type { EngineHost } from './engine-host.js'
import type { EnginePage, EngineQuery, StoredCounts } from './list.js'
import type { StoredPayload, StoredTask } from './stored-task.js'
import type { TaskSnapshot } from './task.js'

/**
 * Sends statements to PostgreSQL in the transaction of its owner: a client of `pg`, or an adapter to that of another library.
 * `query` gets the text of one statement and the values of `$1`, `$2` and so on.
 */
export interface TransactionClient {
  query (text: string, values: any[]): Promise<{ rows: any[] }>
}

/** Options of `add`. */
export interface EngineAddOptions {
  /** The client given to `flush`. Passed only to an engine that is `transactional`. */
  readonly client: TransactionClient
}

/**
 * Keeps registered tasks, and has a worker process run each task at least once.
 *
 * An engine promises:
 * - `add` stores all tasks or none, in one step.
 * - A stored task runs until an attempt completes or fails for good, or the task is cancelled. One worker at a time runs it.
 * - `delay`, `key` and `priority` work as StoredTask says.
 * - The snapshot of `get` follows the task through every state.
 *
 * The host does the rest: validating payloads, timeouts, deciding on retries, log lines, `when`.
 * An engine does not promise exactly one run of a task, or a time by which a task runs. Nor does it promise an order of tasks of
 * the same priority across processes.
 */
export interface Engine {
  /**
   * The id of the unfinished task of this name that has the key. Only an engine whose tasks never leave this process has this
   * method. Such an engine runs the Task that the caller has. It keeps the tasks before its `add` returns.
   * No reply waits for that promise. If it rejects, the failure of the tasks is logged, and the client gets its reply.
   */
  findLocal? (name: string, key: string): string | undefined
  /**
   * Whether `add` takes a `client`, and stores the tasks in its transaction. They exist once the transaction is committed. If the
   * transaction is rolled back, they never existed. `add` neither begins nor ends the transaction.
   */
  readonly transactional?: boolean
  /** Called once, when the app is ready. `start` must not wait for a store that cannot be reached. */
  start (host: EngineHost): void | Promise<void>
  /**
   * Stores the tasks. Resolves to one id for each task: its own, or that of the unfinished task with its key.
   * A task whose id the engine knows, unfinished or ended, changes nothing. `add` may be called before `start`.
   */
  add (tasks: StoredTask[], options?: EngineAddOptions): Promise<string[]>
  get (id: string): Promise<TaskSnapshot | undefined>
  /** Cancels a waiting or delayed task, or aborts the signal of an active one. Resolves to whether `cancel` had an effect. */
  cancel (id: string, reason?: unknown): Promise<boolean>
  /** Calls `onChange` after each change of the task, perhaps more often. The returned function ends the watch. */
  watch (id: string, onChange: () => void): () => void
  /**
   * Gives a page of the tasks in one state, without their payloads. The order is that of `app.backgroundTasks.list`. Looks at no
   * more than `scan` tasks, however many the store holds. This method and the next four are optional.
   * @throws FST_BGT_INVALID_OPTIONS when the cursor is not one of this engine
   */
  list? (query: EngineQuery): Promise<EnginePage>
  counts? (): Promise<StoredCounts>
  /** Gives the payload of a task, unfinished or ended, as `add` got it. Undefined for a task that `get` does not know. */
  payload? (id: string): Promise<StoredPayload | undefined>
  /**
   * Has a task that failed or was cancelled run again under its id, from attempt 1. The task takes its key in the same step of
   * the store. Resolves to false when the task is unknown, unfinished or completed, or when an unfinished task has its key.
   */
  retry? (id: string): Promise<boolean>
  /** Calls `onChange` after changes of any task, perhaps more often. The returned function ends the watch. */
  watchAll? (onChange: () => void): () => void
  /** Stops taking tasks from a shared store. Running tasks go on. */
  pause (): void | Promise<void>
  /** Frees every connection and timer. When `close` is called, no task runs any more. */
  close (): Promise<void>
}
