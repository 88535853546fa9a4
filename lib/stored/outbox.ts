import { randomUUID } from 'node:crypto'
import type { NamedTaskOptions, ResponseEnd, StoredRetry, StoredTask } from '../../types/index.js'
import type { Definition } from '../named/define-task.js'
import { describe, errors } from '../errors.js'
import type { ResolvedTaskOptions, Retry } from '../options/options.js'
import type { Store } from './store.js'
import { taskKey } from '../base/task-key.js'
import type { BackgroundTask } from '../task/task.js'
import type { TaskQueue } from '../request/task-queue.js'
import { queueMicrotask } from '../base/real-timers.js'
import { captureTrace } from './trace-context.js'
import { toKeepable } from '../base/text.js'
import { isWanted } from '../run/when.js'

/** The registered tasks of a list that its engine does not have yet. */
export class Outbox {
  readonly #store: Store
  #tasks = new Set<BackgroundTask>()
  /** Those of them that have a key, by name and key. */
  #keyed: Map<string, BackgroundTask> | undefined = undefined
  #isDue = false
  /** What the engine has not answered yet. */
  #underway: Promise<void> | undefined = undefined

  constructor (store: Store) {
    this.#store = store
  }

  add (task: BackgroundTask, payload: unknown, options: NamedTaskOptions): void {
    const stored = toStored(task, payload, options)
    task.store(stored)
    if (this.#store.engine.findLocal === undefined) task.extras!.isIdUnread = true
    else task.owner.track(task, stored.id)
    this.#tasks.add(task)
    if (stored.key !== undefined) (this.#keyed ??= new Map()).set(taskKey(stored.name, stored.key), task)
  }

  find (name: string, key: string): BackgroundTask | undefined {
    return this.#keyed?.get(taskKey(name, key))
  }

  has (task: BackgroundTask): boolean {
    return this.#tasks.has(task)
  }

  remove (task: BackgroundTask): void {
    if (this.#tasks.delete(task)) this.#freeKey(task)
  }

  /**
   * Stores what a response of this kind wants, and keeps the rest for a later pass: another hook may change the status.
   * Undefined when there is nothing to store.
   */
  flush (response: ResponseEnd | undefined): Promise<void> | undefined {
    const wanted = this.#take((task) => isWanted(task.options.when, response))
    return wanted.length === 0 ? this.#underway : this.#put(wanted, false)
  }

  /**
   * As `flush`, for a reply that is about to leave. Nothing waits for an engine of this process: it has the tasks at once, and
   * a hook that answers later would let the handler run behind a hook that has sent the reply. A failure is that of the tasks.
   */
  beforeSend (response: ResponseEnd): Promise<void> | undefined {
    if (this.#store.engine.findLocal === undefined) return this.flush(response)
    const wanted = this.#take((task) => isWanted(task.options.when, response))
    if (wanted.length > 0) this.#put(wanted, true).catch(() => {})
    return undefined
  }

  /** Stores what need not wait for the end of a response, in one batch with what is added in this turn. */
  storeSoon (): void {
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      // After hijack there is no status to judge until the response is over.
      const isOver = (task: BackgroundTask): boolean => task.owner.response !== undefined || task.owner.request === undefined
      this.#settle(this.#take((task) => isOver(task) || task.options.when === 'always'))
    })
  }

  /** The response is over: stores or skips the rest. */
  end (): void {
    if (this.#tasks.size > 0) this.#settle(this.#take(() => true))
  }

  #settle (tasks: BackgroundTask[]): void {
    const wanted: BackgroundTask[] = []
    for (const task of tasks) {
      if (isWanted(task.options.when, task.owner.response)) wanted.push(task)
      else this.#store.executor.skip(task, task.owner as TaskQueue)
    }
    // A failure has been reported as that of the tasks.
    if (wanted.length > 0) this.#put(wanted, true).catch(() => {})
  }

  /** Resolves when these are stored, and those that were under way before. */
  #put (tasks: BackgroundTask[], report: boolean): Promise<void> {
    const put = this.#store.put(tasks, report)
    const underway = this.#underway === undefined ? put : Promise.all([this.#underway, put]).then(() => {})
    const onEnd = (): void => { if (this.#underway === underway) this.#underway = undefined }
    this.#underway = underway
    underway.then(onEnd, onEnd)
    return underway
  }

  #take (isTaken: (task: BackgroundTask) => boolean): BackgroundTask[] {
    const taken: BackgroundTask[] = []
    for (const task of this.#tasks) {
      if (!isTaken(task)) continue
      taken.push(task)
      this.remove(task)
    }
    return taken
  }

  #freeKey ({ name, extras }: BackgroundTask): void {
    const key = extras!.stored!.key
    if (key !== undefined) this.#keyed!.delete(taskKey(name, key))
  }
}

/**
 * A function cannot be stored: the worker must know it, from the definition or from the plugin's own options.
 * @throws FST_BGT_INVALID_OPTIONS when it cannot
 */
export function assertStorable ({ retry }: ResolvedTaskOptions, definition: Definition, store: Store): void {
  const retryIf = retry?.retryIf
  if (retryIf === undefined || retryIf === store.retryIfOf(definition)) return
  throw new errors.FST_BGT_INVALID_OPTIONS(
    'option "retry.retryIf" of a registered task must be given to defineTask or to the plugin, received a function')
}

/** @throws FST_BGT_INVALID_OPTIONS when an option needs an engine */
export function assertLocal (options: NamedTaskOptions): void {
  for (const key of ['delay', 'key', 'priority'] as const) {
    if (options[key] === undefined) continue
    throw new errors.FST_BGT_INVALID_OPTIONS(`option "${key}" must be for a registered task, received ${describe(options[key])}`)
  }
}

function toStored (task: BackgroundTask, payload: unknown, { delay, key, priority }: NamedTaskOptions): StoredTask {
  const { timeout, retry } = task.options
  const { reqId } = task.owner
  const trace = captureTrace()
  // Every request pays for this: a literal with a spread for each of them takes several times as long.
  const stored: { -readonly [Key in keyof StoredTask]: StoredTask[Key] } =
    { id: randomUUID(), name: task.name, payload, createdAt: Date.now() }
  if (timeout !== undefined) stored.timeout = timeout
  if (retry !== undefined) stored.retry = toStoredRetry(retry)
  if (delay !== undefined && delay > 0) stored.delay = delay
  if (key !== undefined) stored.key = key
  if (priority !== undefined) stored.priority = priority
  // An app's own ids may be numbers.
  if (reqId !== undefined) stored.reqId = typeof reqId === 'string' ? toKeepable(reqId) : reqId
  if (trace !== undefined) stored.trace = trace
  return stored
}

function toStoredRetry ({ retries, delay, factor, maxDelay, jitter, retryIf }: Retry): StoredRetry {
  const stored: StoredRetry = { retries, delay, factor, maxDelay, jitter }
  if (retryIf !== undefined) stored.conditional = true
  return stored
}
