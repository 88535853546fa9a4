import type { TaskSnapshot, TaskState } from './task.js'

/** What `app.backgroundTasks.list` is asked for. */
export interface TaskQuery {
  state: TaskState
  /** Only tasks of this name. */
  name?: string
  /**
   * How many tasks a page holds at most, 1 to 200.
   * @default 50
   */
  limit?: number
  /** That of the page before, for the same state and name. */
  cursor?: string
}

/** A task in the store of an engine. */
export interface StoredSnapshot extends TaskSnapshot {
  /** The id of the request that added the task. */
  reqId?: string
  key?: string
  /** When a delayed task is due, ISO 8601. */
  nextRunAt?: string
}

/** A task in a page of `list`. A payload is never part of it. */
export interface ListedTask extends StoredSnapshot {
  /** Whether the task is one of this process, or only in the engine's store. */
  where: 'process' | 'stored'
}

/** A page of `list`. Unfinished tasks come oldest first, finished ones latest first. */
export interface TaskPage {
  tasks: ListedTask[]
  /** Gives the next page. Absent after the last task. */
  cursor?: string
  /** How many stored tasks were looked at, 1000 at most. */
  scanned: number
}

/**
 * How many tasks a store that processes share holds in each state. A number above 10 000 in PostgreSQL may be some seconds old: it
 * is kept for twenty times as long as it took to count.
 */
export interface StoredCounts {
  waiting: number
  active: number
  delayed: number
  completed: number
  /** With the cancelled ones. */
  failed: number
}

/** How many tasks there are in each state. */
export interface TaskCounts {
  /** Of this process: unfinished ones now, the others since start. */
  process: Record<TaskState, number>
  /** Only with an engine whose store other processes share, and that counts. */
  stored?: StoredCounts
}

/** What an engine's `list` is asked for. */
export interface EngineQuery {
  /** An engine never has skipped tasks. */
  state: Exclude<TaskState, 'skipped'>
  /** Only tasks of this name. */
  name?: string
  /** How many tasks the page holds at most. */
  limit: number
  /**
   * How many tasks may be looked at.
   * @default 1000
   */
  scan?: number
  /** That of the engine's page before. */
  cursor?: string
}

/** A page of an engine's `list`. */
export interface EnginePage {
  tasks: StoredSnapshot[]
  /** Gives the next page. Absent after the last task. */
  cursor?: string
  /** How many tasks were looked at. */
  scanned: number
}
