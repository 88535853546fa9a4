import type { NamedTaskOptions, RouteTaskOptions, SharedTaskOptions, TaskOptions, When } from '../../types/index.js'
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
  // BullMQ's largest.
  priority: integer(0, 2 ** 21 - 1),
  ...SHARED_RULES
}
const TASK_RULES: Rules<TaskOptions> = { name: text, ...SHARED_RULES }
export const ROUTE_RULES: Rules<RouteTaskOptions> = { ...SHARED_RULES, requestConcurrency: integer(1) }

/** What a task runs with; shared by all tasks that have no options of their own. */
export interface ResolvedTaskOptions {
  readonly when: When
  readonly timeout: number | undefined
  readonly retry: Retry | undefined
  /** Whether what the task returns may be shown: only of named tasks that declare a result. */
  readonly hasResult?: boolean
  /** Whether the attempt itself says when its time begins, for it may have to wait first. */
  readonly startsLate?: boolean
}

/** What the tasks of a route run with. */
export interface ResolvedRouteOptions extends ResolvedTaskOptions {
  readonly requestConcurrency: number
}

function resolveTask (base: ResolvedTaskOptions, { when, timeout, retry }: SharedTaskOptions): ResolvedTaskOptions {
  return {
    when: when ?? base.when,
    timeout: timeout ?? base.timeout,
    retry: retry === undefined ? base.retry : resolveRetry(retry)
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
  definition: { options: SharedTaskOptions, hasResult: boolean, startsLate: boolean },
  options: NamedTaskOptions
): ResolvedTaskOptions {
  checkOptions(options, NAMED_RULES)
  if (options.key !== undefined) assertKeepable('key', options.key)
  const resolved = resolveTask(resolveTask(base, definition.options), options)
  return Object.freeze({ ...resolved, hasResult: definition.hasResult, startsLate: definition.startsLate })
}

/** @throws FST_BGT_INVALID_OPTIONS when an option in a route's config is wrong */
export function routeOptions (base: ResolvedRouteOptions, options: RouteTaskOptions): ResolvedRouteOptions {
  checkOptions(options, ROUTE_RULES, 'config.backgroundTasks')
  return resolveRoute(base, options)
}
