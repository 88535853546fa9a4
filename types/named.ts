import type { FastifyInstance } from 'fastify'
import type { SharedTaskOptions } from './options.js'
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

/** What a named task has, wherever it runs. */
export interface TaskDefinitionBase<P extends Schema = Schema, R extends Schema = Schema> extends SharedTaskOptions {
  /** Unique in an app; 1 to 200 characters, none of them a control character. */
  name: string
  /** JSON schema of the payload, which is validated when the task is added. */
  payload: P
  /** JSON schema of the result. Without it the result is not kept, and not part of snapshots. */
  result?: R
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

/** A task whose file runs in a worker thread, which timeout, cancel and the shutdown deadline end. Needs piscina. */
export interface FileTaskDefinition<P extends Schema = Schema, R extends Schema = Schema> extends TaskDefinitionBase<P, R> {
  /**
   * The file whose default export does the work: `(payload) => result`, or `(payload, task) => result` with a ThreadTask. A
   * file: URL or an absolute path. `timeout` counts from when a thread begins with the attempt.
   */
  file: URL | string
  handler?: never
}

/** What `defineTask` takes: exactly one of `handler` and `file`. */
export type TaskDefinition<P extends Schema = Schema, R extends Schema = Schema> =
  HandlerTaskDefinition<P, R> | FileTaskDefinition<P, R>

/** What the default export of a `file` receives after the payload, in its thread. */
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

/** Options of one `add` of a named task. `delay`, `key` and `priority` need it to be registered. */
export interface NamedTaskOptions extends SharedTaskOptions {
  /**
   * Milliseconds before the task may start, 0 to 2^31-1.
   * @default 0
   */
  delay?: number
  /**
   * While an unfinished task of this name has the key, adding gives that one. 1 to 200 characters, neither U+0000 nor half a
   * surrogate pair among them.
   */
  key?: string
  /**
   * Lower starts first, 0 to 2^21-1.
   * @default 0
   */
  priority?: number
}
