import type { AppBackgroundTasks, IdleOptions, TaskSnapshot, TaskStats, WaitUntilOptions } from '../../types/index.js'
import { errors } from '../errors.js'
import type { Executor } from '../run/executor.js'
import { idleTimeout } from '../options/options.js'
import type { Store } from '../stored/store.js'
import type { TaskList } from '../request/task-list.js'

/** How many unfinished tasks an error names. */
const NAMED = 10

/** `app.backgroundTasks`: tasks without a request, and a view on all. */
export class AppTasks implements AppBackgroundTasks {
  readonly register: AppBackgroundTasks['register']
  readonly #store: Store
  readonly #list: TaskList

  constructor (store: Store, list: TaskList, register: AppBackgroundTasks['register']) {
    this.#store = store
    this.#list = list
    this.register = register
  }

  add (...args: any[]): any {
    return this.#list.add(...args)
  }

  waitUntil (promise: PromiseLike<any>, options?: WaitUntilOptions): any {
    return this.#list.waitUntil(promise, options)
  }

  async idle (options: IdleOptions = {}): Promise<void> {
    const timeout = idleTimeout(options)
    const { census } = this.executor
    if (await census.whenEmpty(timeout)) return
    const left = [
      ...census.tasks().map(({ name, state }) => `${name} (${state})`),
      ...[...census.reporting].map(({ name }) => `${name} (onError)`)
    ]
    const names = left.slice(0, NAMED)
    if (left.length > NAMED) names.push(`${left.length - NAMED} more`)
    throw new errors.FST_BGT_IDLE_TIMEOUT(timeout as number, names.join(', '))
  }

  stats (): TaskStats {
    return this.executor.census.stats()
  }

  async get (id: string): Promise<TaskSnapshot | undefined> {
    return this.executor.history.get(id) ?? await this.#store.ask((engine) => engine.get(id))
  }

  async cancel (id: string, reason?: unknown): Promise<boolean> {
    const task = this.executor.history.find(id)
    if (task === undefined) return await this.#store.ask((engine) => engine.cancel(id, reason))
    const hasEffect = task.cancel(reason)
    return await (this.#store.lateEffect(task) ?? hasEffect)
  }

  /** Calls `onChange` after each change of the task, in this process or another, until the function it returns is called. */
  watch (id: string, onChange: () => void): () => void {
    const { census, admission } = this.executor
    const ends = [census.watchers.add(id, onChange)]
    // An engine that has closed would open a connection again, which nobody closes.
    if (!admission.closed) ends.push(this.#store.engine.watch(id, onChange))
    return () => { for (const end of ends) end() }
  }

  get executor (): Executor {
    return this.#store.executor
  }
}
