import type { Around, SharedTaskOptions } from '../../types/index.js'
import { describe, errors } from '../errors.js'
import type { Schedule } from './schedule-options.js'
import type { BackgroundTask } from '../task/task.js'

// A global symbol: the CommonJS build must know a task that was defined through the ESM build.
const kDefinition = Symbol.for('fastify-background-tasks.definition')

export type Run = (payload: unknown, task: BackgroundTask) => unknown

/** The inside of a named task. */
export interface Definition {
  readonly name: string
  readonly options: SharedTaskOptions
  readonly around: Around | undefined
  readonly schedule: Schedule | undefined
  /** Whether an attempt may wait for a thread before its timeout starts. */
  readonly startsLate: boolean
  /** Copies and validates a payload, and fills in defaults. Throws FST_BGT_INVALID_PAYLOAD. */
  readonly parse: (payload: unknown) => unknown
  /** Makes the JSON value of a result. Undefined without a result schema: then the result is not kept. */
  readonly toResult: ((result: unknown) => unknown) | undefined
  /** Runs the handler or the file. With a result schema, returns the JSON value of the result. */
  readonly run: Run
  /** Whether the task has neither a handler nor a file. */
  readonly isDeclaration: boolean
  /** The declaration that this definition implements. */
  readonly declaration: Definition | undefined
}

/** Makes a named task from its inside. */
export function toNamedTask (definition: Definition): object {
  return Object.freeze({ name: definition.name, [kDefinition]: Object.freeze(definition) })
}

/** The inside of a named task, or undefined for any other value. */
export function definitionOf (value: object): Definition | undefined {
  return (value as { [kDefinition]?: Definition })[kDefinition]
}

/** The error of a task whose handler this process does not know. */
export function notImplemented (name: string): Error {
  return new errors.FST_BGT_INVALID_TASK('a task without handler and file must be implemented by implementTask to run here',
    `the declaration ${describe(name)}`)
}
