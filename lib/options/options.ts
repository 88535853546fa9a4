import type {
  BackgroundTasksOptions, Engine, IdleOptions, NamedTask, NamedTaskOptions, RetryOptions, RouteTaskOptions, SharedTaskOptions,
  TaskOptions, ThreadOptions, WaitUntilOptions, When
} from '../../types/index.js'
import {
  MAX_DELAY_MS, type Rules, assertKeepable, boolean, checkOptions, func, integer, isObject, number, oneOf, text
} from './rules.js'
import { THREAD_RULES, assertPossible } from './thread-options.js'

/** BullMQ keeps the attempts, one more than the retries, and PostgreSQL no larger integer. */
const retries = integer(0, 2 ** 31 - 2)

const RETRY_RULES: Rules<RetryOptions> = {
  retries: { ...retries, required: true },
  delay: number(0, MAX_DELAY_MS),
  factor: number(1),
  maxDelay: number(0, MAX_DELAY_MS),
  jitter: boolean,
  retryIf: func
}

export const SHARED_RULES = {
  when: oneOf('always', 'success', 'error'),
  timeout: integer(1, MAX_DELAY_MS),
  retry: {
    must: `${retries.must} or an object`,
    check: (value: unknown) => retries.check(value) || isObject(value),
    fields: RETRY_RULES
  }
}

const NAMED_RULES: Rules<NamedTaskOptions> = {
  delay: integer(0, MAX_DELAY_MS),
  key: { must: 'a string of 1 to 200 characters', check: (value) => typeof value === 'string' && value !== '' && value.length <= 200 },
  // BullMQ's largest.
  priority: integer(0, 2 ** 21 - 1),
  ...SHARED_RULES
}
const TASK_RULES: Rules<TaskOptions> = { name: text, ...SHARED_RULES }
const ROUTE_RULES: Rules<RouteTaskOptions> = { ...SHARED_RULES, requestConcurrency: integer(1) }
const WAIT_UNTIL_RULES: Rules<WaitUntilOptions> = { name: text }
const IDLE_RULES: Rules<IdleOptions> = { timeout: integer(1, MAX_DELAY_MS) }
const PLUGIN_RULES: Rules<BackgroundTasksOptions> = {
  ...ROUTE_RULES,
  concurrency: integer(1),
  maxPending: integer(1),
  closeTimeout: number(0, MAX_DELAY_MS),
  history: integer(0),
  onError: func,
  tasks: { must: 'an array', check: Array.isArray },
  engine: { must: 'an engine', check: isEngine },
  worker: boolean,
  storeTimeout: integer(1, MAX_DELAY_MS),
  threads: { must: 'an object', check: isObject, fields: THREAD_RULES }
}

const TASK_ROUTES_RULES = {
  cancel: boolean,
  onRequest: {
    must: 'a function or an array of functions',
    check: (value: unknown) => [value].flat().every((hook) => typeof hook === 'function')
  }
}

/** A retry option with every default filled in. */
export type Retry = Readonly<Required<Omit<RetryOptions, 'retryIf'>> & { retryIf: RetryOptions['retryIf'] }>

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

/** The plugin's options with every default filled in. */
export interface ResolvedOptions {
  readonly route: ResolvedRouteOptions
  readonly concurrency: number | undefined
  readonly maxPending: number
  readonly closeTimeout: number
  readonly history: number
  readonly onError: BackgroundTasksOptions['onError']
  readonly tasks: readonly NamedTask[]
  readonly engine: Engine | undefined
  readonly worker: boolean
  readonly storeTimeout: number
  readonly threads: ThreadOptions
}

const DEFAULTS: ResolvedRouteOptions = { when: 'always', timeout: undefined, retry: undefined, requestConcurrency: 1 }

/** The backoff of retries that say nothing else. */
export const BACKOFF = { delay: 1000, factor: 2, maxDelay: 30_000, jitter: true }

function resolveRetry (retry: number | RetryOptions): Retry | undefined {
  const { retries, delay = BACKOFF.delay, factor = BACKOFF.factor, maxDelay = BACKOFF.maxDelay, jitter = BACKOFF.jitter, retryIf } =
    typeof retry === 'number' ? { retries: retry } : retry
  return retries === 0 ? undefined : Object.freeze({ retries, delay, factor, maxDelay, jitter, retryIf })
}

function resolveTask (base: ResolvedTaskOptions, { when, timeout, retry }: SharedTaskOptions): ResolvedTaskOptions {
  return {
    when: when ?? base.when,
    timeout: timeout ?? base.timeout,
    retry: retry === undefined ? base.retry : resolveRetry(retry)
  }
}

function resolveRoute (base: ResolvedRouteOptions, options: RouteTaskOptions): ResolvedRouteOptions {
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

/** @throws FST_BGT_INVALID_OPTIONS when an option of `waitUntil` is wrong */
export function waitUntilName (options: WaitUntilOptions): string {
  checkOptions(options, WAIT_UNTIL_RULES)
  return options.name ?? 'anonymous'
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of `idle` is wrong */
export function idleTimeout (options: IdleOptions): number | undefined {
  checkOptions(options, IDLE_RULES)
  return options.timeout
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of the plugin is wrong */
export function pluginOptions (options: BackgroundTasksOptions): ResolvedOptions {
  const own = withoutRegisterOptions(options)
  checkOptions(own, PLUGIN_RULES)
  const {
    concurrency, maxPending = Infinity, closeTimeout = 10_000, history = 1000, onError,
    tasks = [], engine, worker = true, storeTimeout = 2000, threads = {}
  } = own
  assertPossible(threads)
  return Object.freeze({
    route: resolveRoute(DEFAULTS, own),
    concurrency,
    maxPending,
    closeTimeout,
    history,
    onError,
    tasks,
    engine,
    worker,
    storeTimeout,
    threads
  })
}

/** @throws FST_BGT_INVALID_OPTIONS when an option of `taskRoutes` is wrong */
export function taskRoutesOptions (options: object): void {
  checkOptions(withoutRegisterOptions(options), TASK_ROUTES_RULES)
}

/** Fastify passes its own options of `register` on to every plugin. */
function withoutRegisterOptions<Options extends object> (options: Options): Options {
  const { prefix, logLevel, logSerializers, ...own } = options as Options & Record<string, unknown>
  return own as unknown as Options
}

const ENGINE_METHODS: ReadonlyArray<keyof Engine> = ['start', 'add', 'get', 'cancel', 'watch', 'pause', 'close']

function isEngine (value: unknown): boolean {
  return isObject(value) && ENGINE_METHODS.every((name) => typeof (value as Engine)[name] === 'function')
}
