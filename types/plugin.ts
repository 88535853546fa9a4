import type { ResourceLimits } from 'node:worker_threads'
import type { Engine } from './engine.js'
import type { NamedTask } from './named.js'
import type { Around, RouteTaskOptions } from './options.js'
import type { Task } from './task.js'

/** Options of the pool of worker threads. All options of piscina are passed on, except `filename` and `name`. */
export interface ThreadOptions {
  /**
   * How many threads stay while there is no task.
   * @default half as many as there are cores, at least 1
   */
  minThreads?: number
  /**
   * How many threads there are at most. Each thread runs one task at a time, and other tasks wait in order of arrival.
   * @default one less than there are cores, at least 1
   */
  maxThreads?: number
  /** The limits of a thread. A thread that needs more memory fails its task and is replaced. */
  resourceLimits?: ResourceLimits
  [option: string]: unknown
}

/** Options of `app.register(backgroundTasks, options)`. */
export interface BackgroundTasksOptions extends RouteTaskOptions {
  /**
   * How many tasks run at once in the whole app, at least 1. Requests take turns with their waiting tasks.
   * @default none
   */
  concurrency?: number
  /**
   * The number of unfinished tasks at which `add` throws FST_BGT_FULL (503), at least 1.
   * @default none
   */
  maxPending?: number
  /**
   * The largest JSON of a named task's payload in bytes, at least 1. Above it `add` throws FST_BGT_INVALID_PAYLOAD.
   * @default 1048576
   */
  maxPayload?: number
  /**
   * Milliseconds that `app.close()` waits for tasks before it aborts them, at least 0. Counted from the end of the last request.
   * @default 10000
   */
  closeTimeout?: number
  /**
   * How many finished tasks `get(id)` finds, at least 0. Only tasks whose id was read are kept.
   * @default 1000
   */
  history?: number
  /**
   * Called on each final failure, in the async context of `add`. An error of `onError` itself is logged. `idle` and close wait
   * for its promise, close not past `closeTimeout`.
   */
  onError?: (error: unknown, task: Task) => void | Promise<void>
  /**
   * Runs around each attempt of every task, in the async context of `add` and inside `timeout`. A promise given to `waitUntil`
   * has no such attempt. An error that `around` throws fails the attempt.
   */
  around?: Around
  /** Named tasks to register. The engine stores a registered task when it is added. */
  tasks?: NamedTask[]
  /**
   * The engine that keeps registered tasks and hands them out.
   * @default in memory
   */
  engine?: Engine
  /**
   * Whether this process runs stored tasks, or only stores tasks.
   * @default true
   */
  worker?: boolean
  /**
   * Milliseconds that the engine may take to store tasks, 1 to 2^31-1. After that the client gets 503 FST_BGT_ENGINE. If
   * something has held the event loop for longer, the answer may come up to 200 ms later. No client waits for an engine in this
   * process: its tasks fail, and the client gets its reply.
   * @default 2000
   */
  storeTimeout?: number
  /** The worker threads of tasks with a `file`. The first such task starts them. */
  threads?: ThreadOptions
}
