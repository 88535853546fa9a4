import type {
  AppBackgroundTasks, FlushOptions, IdleOptions, NamedTask, ScheduleSnapshot, TaskCounts, TaskPage, TaskQuery, TaskSnapshot, TaskStats, WaitUntilOptions
} from '../../types/index.js'
import type { FastifyInstance } from 'fastify'
import { errors } from '../errors.js'
import { idleTimeout } from '../options/plugin-options.js'
import { storeBeforeSend } from '../request/store-before-send.js'
import type { Services } from '../stored/services.js'
import type { TaskList } from '../request/task-list.js'
import { countTasks, listTasks } from './overview.js'
import { retryTask } from './retry-task.js'

/** How many unfinished tasks the error of `idle` names. */
const NAMED = 10

/** `app.backgroundTasks`: adds tasks without a request, and shows all tasks. */
export class AppTasks implements AppBackgroundTasks {
  readonly services: Services
  readonly #app: FastifyInstance
  readonly #list: TaskList
  /** Whether the onSend hook was added. An app without registered tasks does not pay for the hook. */
  #storesBeforeSend = false

  constructor (app: FastifyInstance, services: Services, list: TaskList) {
    this.#app = app
    this.services = services
    this.#list = list
  }

  readonly register = (...tasks: NamedTask[]): void => {
    if (!this.#storesBeforeSend && tasks.length > 0) {
      storeBeforeSend(this.#app)
      this.#storesBeforeSend = true
    }
    this.services.registry.register(tasks)
  }

  add (...args: any[]): any {
    return this.#list.add(...args)
  }

  waitUntil (promise: PromiseLike<any>, options?: WaitUntilOptions): any {
    return this.#list.waitUntil(promise, options)
  }

  flush (options?: FlushOptions): Promise<void> {
    return this.#list.flush(options)
  }

  async idle (options: IdleOptions = {}): Promise<void> {
    const timeout = idleTimeout(options)
    const { census } = this.services
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
    return this.services.census.stats()
  }

  async get (id: string): Promise<TaskSnapshot | undefined> {
    return this.services.history.get(id) ?? await this.services.client.ask((engine) => engine.get(id))
  }

  async cancel (id: string, reason?: unknown): Promise<boolean> {
    const task = this.services.history.find(id)
    if (task === undefined) return await this.services.client.ask((engine) => engine.cancel(id, reason))
    const hasEffect = task.cancel(reason)
    return await (this.services.client.lateCancels.effectOf(task) ?? hasEffect)
  }

  schedules (): ScheduleSnapshot[] {
    return this.services.schedules.snapshots()
  }

  async list (query: TaskQuery): Promise<TaskPage> {
    return await listTasks(this.services, query)
  }

  async counts (): Promise<TaskCounts> {
    return await countTasks(this.services)
  }

  async retry (id: string): Promise<boolean> {
    return await retryTask(this.services, id)
  }

  /** Calls `onChange` after each change of the task, in any process. The returned function ends the watch. */
  watch (id: string, onChange: () => void): () => void {
    const { admission, census, client } = this.services
    const ends = [census.watchers.add(id, onChange)]
    // After close, the engine would open a connection that nothing closes.
    if (!admission.closed) ends.push(client.engine.watch(id, onChange))
    return () => { for (const end of ends) end() }
  }
}
