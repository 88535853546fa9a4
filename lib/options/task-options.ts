import type { Around, NamedTaskOptions, RouteTaskOptions, SharedTaskOptions, TaskOptions, When } from '../../types/index.js'
import { type Arounds, nestAround } from '../base/around.js'
import { RETRY_RULE, type Retry, resolveRetry } from './retry-options.js'
import { MAX_DELAY_MS, type Rules, assertKeepable, checkOptions, integer, oneOf, text } from './rules.js'

export const SHARED_RULES = {
  when: oneOf('always', 'success', 'error'),
  timeout: integer(1, MAX_DELAY_MS),
  retry: RETRY_RULE
}

/** How many characters a key has at most. */
export const MAX_KEY_LENGTH = 200

export const NAMED_RULES: Rules<NamedTaskOptions> = {
  delay: integer(0, MAX_DELAY_MS),
  key: {
    must: `a string of 1 to ${MAX_KEY_LENGTH} characters`,
    check: (value) => typeof value === 'string' && value !== '' && value.length <= MAX_KEY_LENGTH
  },
  // The largest priority of BullMQ.
  priority: integer(0, 2 ** 21 - 1),
  ...SHARED_RULES
}
const TASK_RULES: Rules<TaskOptions> = { name: text, ...SHARED_RULES }
export const ROUTE_RULES: Rules<RouteTaskOptions> = { ...SHARED_RULES, requestConcurrency: integer(1) }

/** The options of a task. All tasks without options of their own share one object. */
export interface ResolvedTaskOptions {
  readonly when: When
  readonly timeout: number | undefined
  readonly retry: Retry | undefined
  /** The `around` of the plugin, and inside it that of the named task. */
  readonly around: Arounds | undefined
  /** Whether snapshots show the result: only those of named tasks that declare a result. */
  readonly hasResult?: boolean
  /** Whether the timeout starts late, because an attempt may wait for a thread first. */
  readonly startsLate?: boolean
}

/** The options of the tasks of a route. */
export interface ResolvedRouteOptions extends ResolvedTaskOptions {
  readonly requestConcurrency: number
}

function resolveTask (base: ResolvedTaskOptions, { when, timeout, retry }: SharedTaskOptions): ResolvedTaskOptions {
  return {
    when: when ?? base.when,
    timeout: timeout ?? base.timeout,
    retry: retry === undefined ? base.retry : resolveRetry(retry),
    around: base.around
  }
}

export function resolveRoute (base: ResolvedRouteOptions, options: RouteTaskOptions): ResolvedRouteOptions {
  const requestConcurrency = options.requestConcurrency ?? base.requestConcurrency
  return Object.freeze({ ...resolveTask(base, options), requestConcurrency })
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of one call is wrong */
export function taskOptions (base: ResolvedTaskOptions, options: TaskOptions): ResolvedTaskOptions {
  checkOptions(options, TASK_RULES)
  return Object.freeze(resolveTask(base, options))
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of one call of a named task is wrong */
export function namedOptions (
  base: ResolvedTaskOptions,
  definition: { options: SharedTaskOptions, around: Around | undefined, toResult: unknown, startsLate: boolean },
  options: NamedTaskOptions
): ResolvedTaskOptions {
  checkOptions(options, NAMED_RULES)
  if (options.key !== undefined) assertKeepable('key', options.key)
  const resolved = resolveTask(resolveTask(base, definition.options), options)
  const { around, toResult, startsLate } = definition
  return Object.freeze({ ...resolved, around: nestAround(base.around, around), hasResult: toResult !== undefined, startsLate })
}

/** @throws FST_BGT_INVALID_OPTIONS when an option in a route's config is wrong */
export function routeOptions (base: ResolvedRouteOptions, options: RouteTaskOptions): ResolvedRouteOptions {
  checkOptions(options, ROUTE_RULES, 'config.backgroundTasks')
  return resolveRoute(base, options)
}
