import type { RouteTaskOptions } from '../../types/index.js'
import { type ResolvedRouteOptions, routeOptions } from './task-options.js'

/** The options of the tasks of each route. Each route config is resolved once. */
export class RouteOptions {
  readonly #base: ResolvedRouteOptions
  readonly #known = new WeakMap<RouteTaskOptions, ResolvedRouteOptions>()

  /** `base`: the options of the plugin. */
  constructor (base: ResolvedRouteOptions) {
    this.#base = base
  }

  /** @throws FST_BGT_INVALID_OPTIONS when an option in the config is wrong */
  of (config: { backgroundTasks?: RouteTaskOptions } | undefined): ResolvedRouteOptions {
    const given = config?.backgroundTasks
    if (given === undefined) return this.#base
    let options = this.#known.get(given)
    if (options === undefined) this.#known.set(given, options = routeOptions(this.#base, given))
    return options
  }
}
