import type {
  NamedTask, Schema, SharedTaskOptions, TaskDeclarationDefinition, TaskDefinition, TaskImplementation, ValueOf
} from '../../types/index.js'
import { callFile, callHandler } from './calls.js'
import { type Definition, definitionOf, notImplemented, toNamedTask } from './definition.js'
import { definitionOptions, implementationOptions } from './definition-options.js'
import { describe, errors } from '../errors.js'
import { isObject } from '../options/rules.js'
import { resolveSchedule } from './schedule-options.js'
import { compilePayload, compileResult } from './schema.js'
import type { BackgroundTask } from '../task/task.js'
import { taskFileUrl } from './task-file.js'

/**
 * Defines a task with a name and a JSON schema for its payload. Pass the task to `add`. To have the engine of the app keep it,
 * give the task to `tasks` or `register`. Without `handler` and `file`, the task is a declaration for `implementTask`.
 * @throws FST_BGT_INVALID_OPTIONS when an option is unknown or wrong, or a schema does not compile
 */
export function defineTask<const P extends Schema, const R extends Schema = Schema> (
  definition: TaskDefinition<P, R> | TaskDeclarationDefinition<P, R>
): NamedTask<ValueOf<P>, ValueOf<R>> {
  definitionOptions(definition)
  const { name, payload, result, around, schedule } = definition
  const toResult = result === undefined ? undefined : compileResult(result)
  return toNamedTask({
    name,
    options: sharedOptions(definition),
    around,
    schedule: schedule && resolveSchedule(schedule),
    startsLate: definition.file !== undefined,
    parse: compilePayload(payload),
    toResult,
    ...createRun(name, definition, toResult),
    declaration: undefined
  }) as NamedTask<ValueOf<P>, ValueOf<R>>
}

/**
 * Gives a declaration its handler or file, in the processes that run the task. These options win over the declaration's.
 * @throws FST_BGT_INVALID_TASK when `declaration` is no declaration, FST_BGT_INVALID_OPTIONS when an option is unknown or wrong
 */
export function implementTask<P, R> (declaration: NamedTask<P, R>, implementation: TaskImplementation<NoInfer<P>, NoInfer<R>>): NamedTask<P, R> {
  const declared = isObject(declaration) ? definitionOf(declaration) : undefined
  if (declared?.isDeclaration !== true) {
    const received = declared === undefined ? describe(declaration) : `the task ${describe(declared.name)}, which has a handler`
    throw new errors.FST_BGT_INVALID_TASK('implementTask takes a task that defineTask made without handler and file', received)
  }
  implementationOptions(implementation)
  return toNamedTask({
    ...declared,
    options: Object.freeze({ ...declared.options, ...sharedOptions(implementation) }),
    around: implementation.around ?? declared.around,
    schedule: implementation.schedule === undefined ? declared.schedule : resolveSchedule(implementation.schedule),
    startsLate: implementation.file !== undefined,
    ...createRun(declared.name, implementation, declared.toResult),
    declaration: declared
  }) as NamedTask<P, R>
}

function sharedOptions ({ when, timeout, retry }: SharedTaskOptions): SharedTaskOptions {
  return Object.freeze({
    ...(when !== undefined && { when }), ...(timeout !== undefined && { timeout }), ...(retry !== undefined && { retry })
  })
}

function createRun (
  name: string, { handler, file }: { handler?: unknown, file?: URL | string }, toResult: Definition['toResult']
): Pick<Definition, 'run' | 'isDeclaration'> {
  if (handler === undefined && file === undefined) return { run: () => { throw notImplemented(name) }, isDeclaration: true }
  const call = file === undefined ? callHandler(handler) : callFile(taskFileUrl(file)!)
  const run = toResult === undefined ? call : async (payload: unknown, task: BackgroundTask) => toResult(await call(payload, task))
  return { run, isDeclaration: false }
}
