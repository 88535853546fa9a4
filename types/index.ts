import type { AndTask, AnyResult, AnyReturn, First, FunctionArguments, OptionsArguments, Rest, ResultOf } from './add.js'
import type { NamedTask } from './named.js'
import type { IdleOptions, RouteTaskOptions, WaitUntilOptions } from './options.js'
import type { Task, TaskSnapshot } from './task.js'

export type * from './engine.js'
export type * from './named.js'
export type * from './options.js'
export type * from './plugin.js'
export type * from './schema.js'
export type * from './task.js'

/** What a request and the app have in common: ways to add work. */
export interface TaskAdder {
  /**
   * Adds `fn(...args)`. Never runs it before the response is over; without a request it starts in the next turn of the
   * event loop.
   * @throws FST_BGT_INVALID_TASK when fn is not a function
   * @throws FST_BGT_FULL when `maxPending` tasks are unfinished
   * @throws FST_BGT_CLOSED when the app has finished closing
   */
  add<A extends unknown[], R, F> (
    fn: F & ((...args: NoInfer<A>) => AnyReturn<R>), ...args: FunctionArguments<F, A>): Task<ResultOf<F, A, R>>
  /**
   * Adds `fn(...args, task)` with options of its own. The parameters of fn are the arguments given and then, at most, the
   * task: it would take the place of an optional or rest parameter that is left over.
   * @throws FST_BGT_INVALID_OPTIONS when an option is unknown or out of range
   * @throws FST_BGT_INVALID_TASK, FST_BGT_FULL, FST_BGT_CLOSED as above
   */
  add<A extends unknown[], R, F, O> (
    options: First<O>, fn: F & ((...args: AndTask<A>) => AnyReturn<R>), ...args: OptionsArguments<O, F, A>): Task<ResultOf<F, A, R>>
  /**
   * Adds a named task with its payload. A registered one is given to the engine before the reply leaves, any other runs in
   * this process. The reply waits for an engine whose store is elsewhere.
   * @throws FST_BGT_INVALID_PAYLOAD when the payload does not fit the schema, is not JSON, or a store cannot keep its text
   * @throws FST_BGT_INVALID_OPTIONS, FST_BGT_FULL, FST_BGT_CLOSED as above
   */
  add<F, G> (task: First<F>, ...payloadAndOptions: Rest<F, G>): Task<AnyResult<F, G>>
  /**
   * Takes charge of work already under way: its rejection is logged, shutdown waits for it. It takes no place in the
   * order and no slot.
   * @throws FST_BGT_INVALID_TASK when it is not a promise
   * @throws FST_BGT_CLOSED when the app has finished closing; a rejection of the promise is taken care of all the same
   */
  waitUntil<R> (promise: PromiseLike<R>, options?: WaitUntilOptions): Task<R>
}

/** `req.backgroundTasks`: the task list of one request. */
export interface RequestBackgroundTasks extends TaskAdder {
  /** Tasks not yet finished. */
  readonly size: number
  /** Drops the tasks that have not started and returns how many. They end as `cancelled`. */
  clear (): number
  /**
   * Stores the registered tasks now instead of when the reply leaves, judging `when` by the status code of this moment.
   * From then on `task.id` is the id that the task is stored under.
   * @throws FST_BGT_ENGINE when the engine does not take them within `storeTimeout`
   */
  flush (): Promise<void>
}

/** Counts now (`waiting`, `active`, `delayed`) and since start. */
export interface TaskStats {
  waiting: number
  active: number
  delayed: number
  completed: number
  failed: number
  cancelled: number
  skipped: number
  retries: number
  /** Milliseconds that the oldest waiting task has waited; 0 when none waits. */
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
   * Resolves when no task of this process is unfinished, those added by tasks included, and no `onError` under way.
   * @throws FST_BGT_IDLE_TIMEOUT past `timeout`, naming what is left
   */
  idle (options?: IdleOptions): Promise<void>
  stats (): TaskStats
  /**
   * The snapshot of an unfinished task, of one of the last `history` finished ones whose id was read, or of one that the
   * engine keeps, of other processes too.
   * @throws FST_BGT_ENGINE when the engine does not answer
   */
  get (id: string): Promise<TaskSnapshot | undefined>
  /**
   * Registers named tasks: from now on their adds go to the engine, and a worker runs them. Call it before the app is ready.
   * @throws FST_BGT_DUPLICATE_TASK when the name is taken
   * @throws FST_BGT_INVALID_TASK when one was not made by `defineTask`
   */
  register (...tasks: NamedTask[]): void
  /**
   * Cancels by id; resolves to whether it had an effect: then the task does not complete. One that another process runs stays
   * `active` until that process has said how it ended.
   * @throws FST_BGT_ENGINE when the engine does not answer
   */
  cancel (id: string, reason?: unknown): Promise<boolean>
  /** The schedules of the registered tasks, also in a process that runs no stored tasks. */
  schedules (): ScheduleSnapshot[]
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The background tasks of this request: they run once its response is over. */
    backgroundTasks: RequestBackgroundTasks
  }
  interface FastifyInstance {
    /** Background tasks without a request, and a view on all of them. */
    backgroundTasks: AppBackgroundTasks
  }
  interface FastifyContextConfig {
    backgroundTasks?: RouteTaskOptions
  }
}
