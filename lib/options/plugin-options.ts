import type { BackgroundTasksOptions, Engine, IdleOptions, NamedTask, ThreadOptions, WaitUntilOptions } from '../../types/index.js'
import { nestAround } from '../base/around.js'
import { MAX_DELAY_MS, type Rules, boolean, checkOptions, func, integer, isObject, number, text } from './rules.js'
import { withoutRegisterOptions } from './register-options.js'
import { ROUTE_RULES, type ResolvedRouteOptions, resolveRoute } from './task-options.js'
import { THREAD_RULES, assertPossible } from './thread-options.js'

const WAIT_UNTIL_RULES: Rules<WaitUntilOptions> = { name: text }
const IDLE_RULES: Rules<IdleOptions> = { timeout: integer(1, MAX_DELAY_MS) }
const PLUGIN_RULES: Rules<BackgroundTasksOptions> = {
  ...ROUTE_RULES,
  concurrency: integer(1),
  maxPending: integer(1),
  maxPayload: integer(1),
  closeTimeout: number(0, MAX_DELAY_MS),
  history: integer(0),
  onError: func,
  around: func,
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

/** The options of the plugin with every default filled in. */
export interface ResolvedOptions {
  readonly route: ResolvedRouteOptions
  readonly concurrency: number | undefined
  readonly maxPending: number
  readonly maxPayload: number
  readonly closeTimeout: number
  readonly history: number
  readonly onError: BackgroundTasksOptions['onError']
  readonly tasks: readonly NamedTask[]
  readonly engine: Engine | undefined
  readonly worker: boolean
  readonly storeTimeout: number
  readonly threads: ThreadOptions
}

const DEFAULTS: ResolvedRouteOptions =
  { when: 'always', timeout: undefined, retry: undefined, around: undefined, requestConcurrency: 1 }

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
    concurrency, maxPending = Infinity, maxPayload = 2 ** 20, closeTimeout = 10_000, history = 1000, onError,
    tasks = [], engine, worker = true, storeTimeout = 2000, threads = {}
  } = own
  assertPossible(threads)
  return Object.freeze({
    route: resolveRoute({ ...DEFAULTS, around: nestAround(undefined, own.around) }, own),
    concurrency,
    maxPending,
    maxPayload,
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

const ENGINE_METHODS: ReadonlyArray<keyof Engine> = ['start', 'add', 'get', 'cancel', 'watch', 'pause', 'close']

function isEngine (value: unknown): boolean {
  return isObject(value) && ENGINE_METHODS.every((name) => typeof (value as Engine)[name] === 'function')
}
