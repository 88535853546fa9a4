import type { NamedTaskOptions } from '../../types/index.js'
import type { Definition } from './definition.js'
import { describe, errors } from '../errors.js'
import { type ResolvedTaskOptions, namedOptions } from '../options/task-options.js'

/** The options of calls that give none, by those of the route and the definition. */
const known = new WeakMap<ResolvedTaskOptions, WeakMap<Definition, ResolvedTaskOptions>>()

/**
 * The options of one call of a named task. Resolved once for all calls that give none: they are most.
 * @throws FST_BGT_INVALID_OPTIONS when one is wrong
 */
export function namedCall (base: ResolvedTaskOptions, definition: Definition, call: NamedTaskOptions | undefined): ResolvedTaskOptions {
  if (call !== undefined) return namedOptions(base, definition, call)
  const ofRoute = known.get(base) ?? new WeakMap<Definition, ResolvedTaskOptions>()
  let options = ofRoute.get(definition)
  if (options === undefined) {
    options = namedOptions(base, definition, {})
    known.set(base, ofRoute.set(definition, options))
  }
  return options
}

/** @throws FST_BGT_INVALID_OPTIONS when an option needs an engine */
export function assertLocal (options: NamedTaskOptions): void {
  for (const key of ['delay', 'key', 'priority'] as const) {
    if (options[key] === undefined) continue
    throw new errors.FST_BGT_INVALID_OPTIONS(`option "${key}" must be for a registered task, received ${describe(options[key])}`)
  }
}
