import type { Around, SharedTaskOptions } from '../../types/index.js'
import { describe, errors } from '../errors.js'
import type { BackgroundTask } from '../task/task.js'

// Registered, so that a task defined through the ESM build is one for the CommonJS build.
const kDefinition = Symbol.for('fastify-background-tasks.definition')

export type Run = (payload: unknown, task: BackgroundTask) => unknown

/** What a named task is inside. */
export interface Definition {
  readonly name: string
  readonly options: SharedTaskOptions
  readonly around: Around | undefined
  /** Whether an attempt may have to wait before its time begins. */
  readonly startsLate: boolean
  /** The payload as it is kept: a copy, valid, defaults filled in. Throws FST_BGT_INVALID_PAYLOAD. */
  readonly parse: (payload: unknown) => unknown
  /** Gives the result as it may be shown. Undefined where results are not kept. */
  readonly toResult: ((result: unknown) => unknown) | undefined
  /** Runs the handler, or the file, and gives the result as it may be shown. */
  readonly run: Run
  /** Whether it has neither handler nor file. */
  readonly isDeclaration: boolean
  /** What this implements. */
  readonly declaration: Definition | undefined
}

/** Makes a named task of its inside. */
export function toNamedTask (definition: Definition): object {
  return Object.freeze({ name: definition.name, [kDefinition]: Object.freeze(definition) })
}

/** The inside of a named task; undefined of anything else. */
export function definitionOf (value: object): Definition | undefined {
  return (value as { [kDefinition]?: Definition })[kDefinition]
}

/** The error of a task whose handler this process does not know. */
export function notImplemented (name: string): Error {
  return new errors.FST_BGT_INVALID_TASK('a task without handler and file must be implemented by implementTask to run here',
    `the declaration ${describe(name)}`)
}
