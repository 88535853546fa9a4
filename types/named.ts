import type { FastifyInstance } from 'fastify'
import type { Around, SharedTaskOptions } from './options.js'
import type { Schema, ValueOf } from './schema.js'
import type { Task } from './task.js'

/** When a registered task runs by itself. Needs croner. */
export interface TaskSchedule<P = any> {
  /** A cron pattern of five fields, or of six with the seconds first. */
  cron: string
  /**
   * The IANA time zone of the pattern.
   * @default 'UTC'
   */
  timezone?: string
  /**
   * The payload of each tick, which is validated when the task is registered.
   * @default {}
   */
  payload?: P
}

/** The options of any named task. */
export interface TaskDefinitionBase<P extends Schema = Schema, R extends Schema = Schema> extends SharedTaskOptions {
  /** The name, unique in an app: 1 to 200 characters, none of them a control character. */
  name: string
  /** The JSON schema of the payload. The payload is validated when the task is added. */
  payload: P
  /** The JSON schema of the result. Without this schema, the result is not kept, and snapshots do not show it. */
  result?: R
  /** Runs around each attempt, inside the `around` of the plugin. */
  around?: Around
  /**
   * Adds the task at each tick, once however many processes run stored tasks. A tick is passed over while the task of an
   * earlier tick is unfinished. Only of a registered task.
   */
  schedule?: TaskSchedule<ValueOf<P>>
}

/** A task whose handler runs in this process, on its event loop. */
export interface HandlerTaskDefinition<P extends Schema = Schema, R extends Schema = Schema> extends TaskDefinitionBase<P, R> {
  /** Does the work. `this` is the Fastify instance. */
  handler: (this: FastifyInstance, payload: ValueOf<P>, task: Task) => ValueOf<R> | Promise<ValueOf<R>>
  file?: never
}

/** A task whose file runs in a worker thread. Timeout, cancel and the shutdown deadline end the thread. Needs piscina. */
export interface FileTaskDefinition<P extends Schema = Schema, R extends Schema = Schema> extends TaskDefinitionBase<P, R> {
  /**
   * The file whose default export does the work, as a file: URL or an absolute path. The export is `(payload) => result`, or
   * `(payload, task) => result` with a ThreadTask. `timeout` counts from the moment a thread begins with the attempt.
   */
  file: URL | string
  handler?: never
}

/** The argument of `defineTask`, with exactly one of `handler` and `file`. */
export type TaskDefinition<P extends Schema = Schema, R extends Schema = Schema> =
  HandlerTaskDefinition<P, R> | FileTaskDefinition<P, R>

/** A task without its handler, for processes that only add the task. `implementTask` gives the declaration a handler. */
export interface TaskDeclarationDefinition<P extends Schema = Schema, R extends Schema = Schema> extends TaskDefinitionBase<P, R> {
  handler?: never
  file?: never
}

interface ImplementationBase<P> extends SharedTaskOptions {
  /** Adds the task at each tick, in place of the schedule of the declaration. */
  schedule?: TaskSchedule<NoInfer<P>>
  /** Runs around each attempt, inside the `around` of the plugin. */
  around?: Around
}

/**
 * The argument of `implementTask`, with exactly one of `handler` and `file`. Its options win over those of the
 * declaration. The engine keeps `when`, `timeout` and `retry` with each task, as the process that adds the task knows them.
 */
export type TaskImplementation<P = any, R = any> = ImplementationBase<P> & ({
  /** Does the work. `this` is the Fastify instance. */
  handler: (this: FastifyInstance, payload: P, task: Task) => R | Promise<R>
  file?: never
} | {
  /** The file whose default export does the work in a thread: a file: URL or an absolute path. */
  file: URL | string
  handler?: never
})

/** The second argument of the default export of a `file`, in its thread. */
export interface ThreadTask {
  readonly id: string
  readonly name: string
  /** 1 for the first attempt. */
  readonly attempt: number
  /**
   * Reports progress: a number from 0 to 1, or any JSON value.
   * @throws TypeError when the value is not JSON
   */
  progress (value: unknown): void
}

declare const types: unique symbol

/** A task with a name and a payload schema, made by `defineTask`. */
export interface NamedTask<P = any, R = any> {
  readonly name: string
  /** Exists for the compiler only. Without it any object with a name would look like a named task. */
  readonly [types]: { payload: (payload: P) => void, result: R }
}

/** Options of one `add` of a named task. `delay`, `key` and `priority` are only for a registered task. */
export interface NamedTaskOptions extends SharedTaskOptions {
  /**
   * Milliseconds before the task may start, 0 to 2^31-1.
   * @default 0
   */
  delay?: number
  /**
   * While an unfinished task of this name has the key, `add` gives that task. A key has 1 to 200 characters, without
   * U+0000 and half surrogate pairs.
   */
  key?: string
  /**
   * A task with a lower value starts first, 0 to 2^21-1.
   * @default 0
   */
  priority?: number
}
