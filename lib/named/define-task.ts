import type { FastifyInstance } from 'fastify'
import type { Around, NamedTask, Schema, SharedTaskOptions, TaskDefinition, ValueOf } from '../../types/index.js'
import { definitionOptions } from './definition-options.js'
import { compilePayload, compileResult } from './schema.js'
import type { BackgroundTask } from '../task/task.js'
import { taskFileUrl } from './task-file.js'
import { threadsOf } from '../threads/threads.js'

// A global symbol: the CommonJS build must know a task that was defined through the ESM build.
const kDefinition = Symbol.for('fastify-background-tasks.definition')

type Run = (payload: unknown, task: BackgroundTask) => unknown

/** The inside of a named task. */
export interface Definition {
  readonly name: string
  readonly options: SharedTaskOptions
  readonly around: Around | undefined
  /** Whether the task has a result schema, so that its result is kept. */
  readonly hasResult: boolean
  /** Whether an attempt may wait for a thread before its timeout starts. */
  readonly startsLate: boolean
  /** Copies and validates a payload, and fills in defaults. Throws FST_BGT_INVALID_PAYLOAD. */
  readonly parse: (payload: unknown) => unknown
  /** Runs the handler or the file. With a result schema, returns the JSON value of the result. */
  readonly run: Run
}

/**
 * Defines a task with a name and a JSON schema for its payload. Pass the task to `add`. To have the engine of the app keep it,
 * give the task to `tasks` or `register`.
 * @throws FST_BGT_INVALID_OPTIONS when an option is unknown or wrong, or a schema does not compile
 */
export function defineTask<const P extends Schema, const R extends Schema = Schema> (
  definition: TaskDefinition<P, R>
): NamedTask<ValueOf<P>, ValueOf<R>> {
  definitionOptions(definition)
  const { name, payload, result, handler, file, when, timeout, retry, around } = definition
  const toResult = result === undefined ? undefined : compileResult(result)
  const run = file === undefined ? callHandler(handler as Handler) : callFile(taskFileUrl(file)!)
  const inside: Definition = Object.freeze({
    name,
    options: Object.freeze({
      ...(when !== undefined && { when }), ...(timeout !== undefined && { timeout }), ...(retry !== undefined && { retry })
    }),
    around,
    hasResult: toResult !== undefined,
    startsLate: file !== undefined,
    parse: compilePayload(payload),
    run: toResult === undefined ? run : async (payload: unknown, task: BackgroundTask) => toResult(await run(payload, task))
  })
  const task: object = Object.freeze({ name, [kDefinition]: inside })
  return task as NamedTask<ValueOf<P>, ValueOf<R>>
}

type Handler = (this: FastifyInstance, payload: unknown, task: BackgroundTask) => unknown

function callHandler (handler: Handler): Run {
  // A change to the payload by one attempt must not reach the next.
  return (payload, task) =>
    handler.call(task.server, task.options.retry === undefined ? payload : structuredClone(payload), task)
}

function callFile (file: string): Run {
  return (payload, task) => threadsOf(task.server).run({ file, payload, id: task.id, name: task.name, attempt: task.attempt }, {
    signal: task.signal,
    onStart () { task.extras?.startClock?.() },
    onProgress (value) { task.progress(value) }
  })
}

/** The inside of a named task, or undefined for any other value. */
export function definitionOf (value: object): Definition | undefined {
  return (value as { [kDefinition]?: Definition })[kDefinition]
}
