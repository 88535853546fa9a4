import { type Definition, definitionOf } from './define-task.js'
import { describe, errors, messageOf } from '../errors.js'
import type { Retry } from '../options/retry-options.js'
import { isObject } from '../options/rules.js'
import type { Schedule } from './schedule-options.js'

/** A registered task with a schedule, whose payload is valid. */
export interface ScheduledTask {
  readonly definition: Definition
  readonly schedule: Schedule
}

/** The tasks that an app has registered, by name. */
export class Registry {
  readonly #retryIf: Retry['retryIf']
  readonly #definitions = new Map<string, Definition>()
  readonly scheduled: ScheduledTask[] = []

  /** `retryIf`: the plugin's. */
  constructor (retryIf: Retry['retryIf']) {
    this.#retryIf = retryIf
  }

  /**
   * Registers all of the tasks or none.
   * @throws FST_BGT_INVALID_TASK when one is no named task, FST_BGT_DUPLICATE_TASK when a name is taken,
   * FST_BGT_INVALID_PAYLOAD when the payload of a schedule does not fit
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
      added.set(name, definition)
    }
    const scheduled = [...added.values()].flatMap(toScheduled)
    for (const [name, definition] of added) this.#definitions.set(name, definition)
    this.scheduled.push(...scheduled)
  }

  has (definition: Definition): boolean {
    return this.#definitions.get(definition.name) === definition
  }

  find (name: string): Definition | undefined {
    return this.#definitions.get(name)
  }

  /** What a worker asks about retries of a task. */
  retryIfOf ({ options: { retry } }: Definition): Retry['retryIf'] {
    if (retry === undefined) return this.#retryIf
    return typeof retry === 'object' ? retry.retryIf : undefined
  }

  /**
   * A function cannot be stored: the worker must know it, from the definition or from the plugin's own options.
   * @throws FST_BGT_INVALID_OPTIONS when it cannot
   */
  assertStorable (definition: Definition, retry: Retry | undefined): void {
    const retryIf = retry?.retryIf
    if (retryIf === undefined || retryIf === this.retryIfOf(definition)) return
    throw new errors.FST_BGT_INVALID_OPTIONS(
      'option "retry.retryIf" of a registered task must be given to defineTask or to the plugin, received a function')
  }
}

function toScheduled (definition: Definition): ScheduledTask[] {
  const { name, schedule, parse } = definition
  if (schedule === undefined) return []
  try {
    return [{ definition, schedule: { ...schedule, payload: parse(schedule.payload) } }]
  } catch (cause) {
    throw new errors.FST_BGT_INVALID_PAYLOAD(`option "schedule.payload" of task "${name}" does not fit: ${messageOf(cause)}`, { cause })
  }
}
