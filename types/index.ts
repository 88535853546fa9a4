import type { AndTask, AnyResult, AnyReturn, First, FunctionArguments, OptionsArguments, Rest, ResultOf } from './add.js'
import type { TaskCounts, TaskPage, TaskQuery } from './list.js'
import type { NamedTask } from './named.js'
import type { FlushOptions, IdleOptions, RouteTaskOptions, WaitUntilOptions } from './options.js'
import type { Task, TaskSnapshot } from './task.js'

export type * from './engine.js'
export type * from './engine-host.js'
export type * from './list.js'
export type * from './named.js'
export type * from './options.js'
export type * from './plugin.js'
export type * from './schema.js'
export type * from './stored-task.js'
export type * from './task.js'

/** The ways to add work that a request and the app have in common. */
export interface TaskAdder {
  /**
   * Adds `fn(...args)`. The function never runs before the response is over. Without a request, the function starts in the next
   * turn of the event loop.
   * @throws FST_BGT_INVALID_TASK when `fn` is not a function
   * @throws FST_BGT_FULL when `maxPending` tasks are unfinished
   * @throws FST_BGT_CLOSED when the app has finished closing
   */
  add<A extends unknown[], R, F> (
    fn: F & ((...args: NoInfer<A>) => AnyReturn<R>), ...args: FunctionArguments<F, A>): Task<ResultOf<F, A, R>>
  /**
   * Adds `fn(...args, task)` with options for this task. The parameters of `fn` are the arguments given and then, at most, the
   * task. The task would take the place of a further optional or rest parameter.
   * @throws FST_BGT_INVALID_OPTIONS when an option is unknown or out of range
   * @throws FST_BGT_INVALID_TASK, FST_BGT_FULL, FST_BGT_CLOSED as above
   */
  add<A extends unknown[], R, F, O> (
    options: First<O>, fn: F & ((...args: AndTask<A>) => AnyReturn<R>), ...args: OptionsArguments<O, F, A>): Task<ResultOf<F, A, R>>
  /**
   * Adds a named task with its payload. The engine stores a registered task before the reply leaves, and the reply waits for a
   * shared store. A task that is not registered runs in this process.
   * @throws FST_BGT_INVALID_PAYLOAD when the payload does not fit the schema, is not JSON, or a store cannot keep its text
   * @throws FST_BGT_INVALID_OPTIONS, FST_BGT_FULL, FST_BGT_CLOSED as above
   */
  add<F, G> (task: First<F>, ...payloadAndOptions: Rest<F, G>): Task<AnyResult<F, G>>
  /**
   * Follows a promise that is already under way. A rejection is logged, and close waits for the promise. The task takes no place
   * in the order and no slot.
   * @throws FST_BGT_INVALID_TASK when the value is not a promise
   * @throws FST_BGT_CLOSED when the app has finished closing. A rejection of the promise is logged all the same
   */
  waitUntil<R> (promise: PromiseLike<R>, options?: WaitUntilOptions): Task<R>
}

/** `req.backgroundTasks`: the task list of one request. */
export interface RequestBackgroundTasks extends TaskAdder {
  /** The number of unfinished tasks. */
  readonly size: number
  /** Cancels the tasks that have not started, and returns their number. */
  clear (): number
  /**
   * Stores the registered tasks now, not when the reply leaves. The present status code decides on `when`. After `flush`,
   * `task.id` is the id under which the task is stored.
   * @throws FST_BGT_ENGINE when the engine does not store the tasks within `storeTimeout`
   * @throws FST_BGT_INVALID_OPTIONS when `client` has no `query`, the engine is not `transactional`, or one of `tasks` does not wait to
   * be stored
   */
  flush (options?: FlushOptions): Promise<void>
}

/** Numbers of tasks: `waiting`, `active` and `delayed` now, the others since the start. */
export interface TaskStats {
  waiting: number
  active: number
  delayed: number
  completed: number
  failed: number
  cancelled: number
  skipped: number
  retries: number
  /** Milliseconds that the oldest waiting task has waited. 0 when no task waits. */
  oldestWaitingMs: number
}

/** A schedule of a registered task. */
export interface ScheduleSnapshot {
  name: string
  cron: string
  timezone: string
  /** The time of the next tick, ISO 8601. Absent until the app is ready. */
  nextRunAt?: string
}

/** `app.backgroundTasks`. */
export interface AppBackgroundTasks extends TaskAdder {
  /**
   * Resolves when every task of this process has ended, those added meanwhile included, and every `onError` has settled.
   * @throws FST_BGT_IDLE_TIMEOUT after `timeout`, naming the unfinished tasks
   */
  idle (options?: IdleOptions): Promise<void>
  stats (): TaskStats
  /**
   * As `flush` of a request. With a client, call `flush` right behind `add`, without an `await` between them: soon after, the tasks of the
   * app are stored by themselves. With `tasks`, `flush` rejects when it comes too late, and takes no task of other code.
   * @throws FST_BGT_ENGINE, FST_BGT_INVALID_OPTIONS as there
   */
  flush (options?: FlushOptions): Promise<void>
  /**
   * The snapshot of an unfinished task, or of one of the last `history` finished tasks whose id was read. For any other id, the
   * engine is asked, which may know tasks of other processes.
   * @throws FST_BGT_ENGINE when the engine does not answer
   */
  get (id: string): Promise<TaskSnapshot | undefined>
  /**
   * Registers named tasks. The engine stores a registered task when it is added, and a worker runs it. Call `register` before
   * the app is ready.
   * @throws FST_BGT_DUPLICATE_TASK when a name is taken
   * @throws FST_BGT_INVALID_TASK when a task was not made by `defineTask`. When the app has started, also for a declaration in a worker
   * @throws FST_BGT_INVALID_OPTIONS when the app has started, for a task with a schedule
   */
  register (...tasks: NamedTask[]): void
  /**
   * Cancels a task by id. Resolves to whether `cancel` had an effect: then the task does not complete. A task that another
   * process runs stays `active` until that process has ended it.
   * @throws FST_BGT_ENGINE when the engine does not answer
   */
  cancel (id: string, reason?: unknown): Promise<boolean>
  /** The schedules of the registered tasks, also in a process that runs no stored tasks. */
  schedules (): ScheduleSnapshot[]
  /**
   * A page of the tasks in one state: first those of this process, then the others in the engine's store. Of the finished tasks of
   * this process, the page has those that `get` finds. Each listed task of this process gets an id.
   * @throws FST_BGT_INVALID_OPTIONS when the query, or its cursor, is wrong
   * @throws FST_BGT_ENGINE when the engine does not answer
   */
  list (query: TaskQuery): Promise<TaskPage>
  /**
   * How many tasks there are in each state, in this process and in the store that it shares.
   * @throws FST_BGT_ENGINE when the engine does not answer
   */
  counts (): Promise<TaskCounts>
  /**
   * Has a registered task that failed or was cancelled run again under its id, from attempt 1. Resolves to whether it will:
   * false when the task has not ended, has completed, is unknown, is a function, or an unfinished task has its key.
   * @throws FST_BGT_ENGINE when the engine cannot, or does not answer
   */
  retry (id: string): Promise<boolean>
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The background tasks of this request. They run after its response is over. */
    backgroundTasks: RequestBackgroundTasks
  }
  interface FastifyInstance {
    /** Adds background tasks without a request, and shows all tasks. */
    backgroundTasks: AppBackgroundTasks
  }
  interface FastifyContextConfig {
    backgroundTasks?: RouteTaskOptions
  }
}
