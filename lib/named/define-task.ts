import type { FastifyInstance } from 'fastify'
import type { NamedTask, Schema, SharedTaskOptions, TaskDefinition, ValueOf } from '../../types/index.js'
import { definitionOptions } from './definition-options.js'
import { type Schedule, resolveSchedule } from './schedule-options.js'
import { compilePayload, compileResult } from './schema.js'
import type { BackgroundTask } from '../task/task.js'
import { taskFileUrl } from './task-file.js'
import { threadsOf } from '../threads/threads.js'

// Registered, so that a task defined through the ESM build is one for the CommonJS build.
const kDefinition = Symbol.for('fastify-background-tasks.definition')

type Run = (payload: unknown, task: BackgroundTask) => unknown

/** What a named task is inside. */
export interface Definition {
  readonly name: string
  readonly options: SharedTaskOptions
  /** Whether results are kept. */
  readonly hasResult: boolean
  /** Whether an attempt may have to wait before its time begins. */
  readonly startsLate: boolean
  readonly schedule: Schedule | undefined
  /** The payload as it is kept: a copy, valid, defaults filled in. Throws FST_BGT_INVALID_PAYLOAD. */
  readonly parse: (payload: unknown) => unknown
  /** Runs the handler, or the file, and gives the result as it may be shown. */
  readonly run: Run
}

/**
 * Defines a task with a name and a JSON schema for its payload. Pass it to `add`; give it to `tasks` or `register` to
 * have it kept by the app's engine.
 * @throws FST_BGT_INVALID_OPTIONS when an option is unknown or wrong, or a schema does not compile
 */
export function defineTask<const P extends Schema, const R extends Schema = Schema> (
  definition: TaskDefinition<P, R>
): NamedTask<ValueOf<P>, ValueOf<R>> {
  definitionOptions(definition)
  const { name, payload, result, handler, file, when, timeout, retry, schedule } = definition
  const toResult = result === undefined ? undefined : compileResult(result)
  const run = file === undefined ? callHandler(handler as Handler) : callFile(taskFileUrl(file)!)
  const inside: Definition = Object.freeze({
    name,
    options: Object.freeze({
      ...(when !== undefined && { when }), ...(timeout !== undefined && { timeout }), ...(retry !== undefined && { retry })
    }),
    hasResult: toResult !== undefined,
    startsLate: file !== undefined,
    schedule: schedule && resolveSchedule(schedule),
    parse: compilePayload(payload),
    run: toResult === undefined ? run : async (payload: unknown, task: BackgroundTask) => toResult(await run(payload, task))
  })
  const task: object = Object.freeze({ name, [kDefinition]: inside })
  return task as NamedTask<ValueOf<P>, ValueOf<R>>
}

type Handler = (this: FastifyInstance, payload: unknown, task: BackgroundTask) => unknown

function callHandler (handler: Handler): Run {
  // What one attempt changes in the payload must not reach the next.
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

/** The inside of a named task; undefined of anything else. */
export function definitionOf (value: object): Definition | undefined {
  return (value as { [kDefinition]?: Definition })[kDefinition]
}
