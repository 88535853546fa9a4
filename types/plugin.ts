import type { ResourceLimits } from 'node:worker_threads'
import type { Engine } from './engine.js'
import type { NamedTask } from './named.js'
import type { Around, RouteTaskOptions } from './options.js'
import type { Task } from './task.js'

/** Options of the pool of worker threads: those of piscina, to which they are passed on, except `filename` and `name`. */
export interface ThreadOptions {
  /**
   * Threads kept while there is nothing to do.
   * @default half as many as there are cores, at least 1
   */
  minThreads?: number
  /**
   * Threads at most, each with one task at a time; other tasks wait for one in order of arrival.
   * @default one less than there are cores, at least 1
   */
  maxThreads?: number
  /** Limits of a thread. One that needs more memory fails its task and is replaced. */
  resourceLimits?: ResourceLimits
  [option: string]: unknown
}

/** Options of `app.register(backgroundTasks, options)`. */
export interface BackgroundTasksOptions extends RouteTaskOptions {
  /**
   * How many tasks run at once in the whole app, at least 1. Requests take turns with those that wait.
   * @default none
   */
  concurrency?: number
  /**
   * With that many unfinished tasks `add` throws FST_BGT_FULL (503), at least 1.
   * @default none
   */
  maxPending?: number
  /**
   * Bytes of JSON that the payload of a named task may have. Above them `add` throws FST_BGT_INVALID_PAYLOAD. At least 1.
   * @default 1048576
   */
  maxPayload?: number
  /**
   * Milliseconds that `app.close()` waits for tasks, once no request is in flight, before it aborts them. At least 0.
   * @default 10000
   */
  closeTimeout?: number
  /**
   * How many finished tasks `get(id)` still finds, of those whose id was read. At least 0.
   * @default 1000
   */
  history?: number
  /**
   * Called on each final failure, in the async context of `add`. What it throws or rejects is logged. `idle` and `close` wait
   * for its promise, but not past `closeTimeout`.
   */
  onError?: (error: unknown, task: Task) => void | Promise<void>
  /**
   * Runs around each attempt of every task, in the async context of `add` and inside `timeout`; not around promises given to
   * `waitUntil`. What it throws fails the attempt.
   */
  around?: Around
  /** Named tasks to register: their adds go to the engine. */
  tasks?: NamedTask[]
  /**
   * Keeps and hands out registered tasks.
   * @default in memory
   */
  engine?: Engine
  /**
   * Whether this process runs stored tasks too, or only stores them.
   * @default true
   */
  worker?: boolean
  /**
   * Milliseconds that the engine may take to store tasks before the client gets 503 FST_BGT_ENGINE, 1 to 2^31-1. Where
   * something has held the event loop past them, an answer may come up to 200 ms later. With an engine of this process its
   * tasks fail instead, and no client waits.
   * @default 2000
   */
  storeTimeout?: number
  /** The worker threads of tasks with a `file`. The first such task starts them. */
  threads?: ThreadOptions
}
