import { type Definition, definitionOf, notImplemented } from './definition.js'
import { describe, errors, messageOf } from '../errors.js'
import { type Arounds, nestAround } from '../base/around.js'
import type { Retry } from '../options/retry-options.js'
import type { ResolvedTaskOptions } from '../options/task-options.js'
import { isObject } from '../options/rules.js'
import type { Schedule } from './schedule-options.js'

/** A registered task with a schedule, whose payload is valid. */
export interface ScheduledTask {
  readonly definition: Definition
  readonly schedule: Schedule
}

type CheckPayload = (name: string, payload: unknown) => unknown

/** The tasks that an app has registered, by name. */
export class Registry {
  readonly #plugin: ResolvedTaskOptions
  readonly #definitions = new Map<string, Definition>()
  readonly scheduled: ScheduledTask[] = []
  readonly #checkPayload: CheckPayload
  /** Whether this process runs stored tasks. Undefined until the app starts. */
  #isWorker: boolean | undefined

  /** `plugin`: the options of the plugin, which apply to a task without options of its own. `checkPayload`: throws for one too large. */
  constructor (plugin: ResolvedTaskOptions, checkPayload: CheckPayload = (name, payload) => payload) {
    this.#plugin = plugin
    this.#checkPayload = checkPayload
  }

  /**
   * Registers all of the tasks or none.
   * @throws FST_BGT_INVALID_TASK when a value is no named task, FST_BGT_DUPLICATE_TASK when a name is taken,
   * FST_BGT_INVALID_PAYLOAD when the payload of a schedule does not fit. After `start`, what `start` would have refused, and
   * FST_BGT_INVALID_OPTIONS for a schedule, which would never tick
   */
  register (tasks: readonly unknown[]): void {
    const added = new Map<string, Definition>()
    for (const task of tasks) {
      const definition = isObject(task) ? definitionOf(task) : undefined
      if (definition === undefined) {
        throw new errors.FST_BGT_INVALID_TASK('only what defineTask returns can be registered', describe(task))
      }
      const { name } = definition
      if (this.#definitions.has(name) || added.has(name)) throw new errors.FST_BGT_DUPLICATE_TASK(name)
      if (this.#isWorker !== undefined) assertTimely(definition, this.#isWorker)
      added.set(name, definition)
    }
    const scheduled = [...added.values()].flatMap((definition) => toScheduled(definition, this.#checkPayload))
    for (const [name, definition] of added) this.#definitions.set(name, definition)
    this.scheduled.push(...scheduled)
  }

  has (definition: Definition): boolean {
    return this.#definitions.get(definition.name) === definition
  }

  /**
   * The definition that `add` uses for the given one: the registered implementation of a declaration, or else the given one.
   * @throws FST_BGT_INVALID_TASK when a declaration is neither registered nor implemented
   */
  resolve (definition: Definition): Definition {
    if (!definition.isDeclaration || this.has(definition)) return definition
    const found = this.#definitions.get(definition.name)
    if (found?.declaration !== definition) throw notRegistered(definition)
    return found
  }

  /**
   * Called when the app starts. A plugin may register more tasks after that, in an onReady hook of its own.
   * @throws FST_BGT_INVALID_TASK when a worker could not run one of the tasks
   */
  start (isWorker: boolean): void {
    this.#isWorker = isWorker
    if (isWorker) for (const definition of this.#definitions.values()) assertImplemented(definition)
  }

  find (name: string): Definition | undefined {
    return this.#definitions.get(name)
  }

  /** The `retryIf` that a worker asks about retries of a task. */
  retryIfOf ({ options: { retry } }: Definition): Retry['retryIf'] {
    if (retry === undefined) return this.#plugin.retry?.retryIf
    return typeof retry === 'object' ? retry.retryIf : undefined
  }

  /** The `around` functions that a worker calls for each attempt of a task. */
  aroundOf ({ around }: Definition): Arounds | undefined {
    return nestAround(this.#plugin.around, around)
  }

  /**
   * A store cannot keep the function `retryIf`. A worker must find it in the definition or in the options of the plugin.
   * @throws FST_BGT_INVALID_OPTIONS when a worker would not find `retryIf`
   */
  assertStorable (definition: Definition, retry: Retry | undefined): void {
    const retryIf = retry?.retryIf
    if (retryIf === undefined || retryIf === this.retryIfOf(definition)) return
    throw new errors.FST_BGT_INVALID_OPTIONS(
      'option "retry.retryIf" of a registered task must be given to defineTask or to the plugin, received a function')
  }
}

function toScheduled (definition: Definition, checkPayload: CheckPayload): ScheduledTask[] {
  const { name, schedule, parse } = definition
  if (schedule === undefined) return []
  try {
    return [{ definition, schedule: { ...schedule, payload: checkPayload(name, parse(schedule.payload)) } }]
  } catch (cause) {
    throw new errors.FST_BGT_INVALID_PAYLOAD(`option "schedule.payload" of task "${name}" does not fit: ${messageOf(cause)}`, { cause })
  }
}

function assertImplemented ({ name, isDeclaration }: Definition): void {
  if (isDeclaration) throw notImplemented(name)
}

/** Refuses a task that is registered too late for what it needs. */
function assertTimely (definition: Definition, isWorker: boolean): void {
  if (isWorker) assertImplemented(definition)
  if (definition.schedule === undefined) return
  throw new errors.FST_BGT_INVALID_OPTIONS(
    `option "schedule" must be that of a task registered before the app is ready, received that of task "${definition.name}"`)
}

function notRegistered ({ name }: Definition): Error {
  return new errors.FST_BGT_INVALID_TASK('a task without handler and file must be registered', `the declaration ${describe(name)}`)
}
