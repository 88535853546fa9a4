import type { NamedTaskOptions } from '../../types/index.js'
import type { Definition } from './definition.js'
import { describe, errors } from '../errors.js'
import { type ResolvedTaskOptions, namedOptions } from '../options/task-options.js'

/** The options of calls without options of their own, by the options of the route and by definition. */
const known = new WeakMap<ResolvedTaskOptions, WeakMap<Definition, ResolvedTaskOptions>>()

/**
 * The options of one `add` of a named task. Most calls give no options: these options are resolved only once.
 * @throws FST_BGT_INVALID_OPTIONS when an option is wrong
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

/** @throws FST_BGT_INVALID_OPTIONS when an option is only for registered tasks */
export function assertLocal (options: NamedTaskOptions): void {
  for (const key of ['delay', 'key', 'priority'] as const) {
    if (options[key] === undefined) continue
    throw new errors.FST_BGT_INVALID_OPTIONS(`option "${key}" must be for a registered task, received ${describe(options[key])}`)
  }
}
