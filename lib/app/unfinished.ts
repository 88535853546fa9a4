import type { FastifyBaseLogger } from 'fastify'
import type { TaskState } from '../../types/index.js'
import type { BackgroundTask } from '../task/task.js'

/** How many tasks the line names. A line of a hundred thousand would be no line any more. */
const NAMED = 100

/** The tasks that close has not waited for, or in vain. */
export class Unfinished {
  #named: object[] = []
  #more = 0
  readonly #known = new WeakSet<BackgroundTask>()

  add (task: BackgroundTask, state: TaskState): void {
    this.#add(task, { state })
  }

  /** The task has failed, and its `onError` is still under way. */
  addReport (task: BackgroundTask): void {
    this.#add(task, { state: task.state, onError: 'unfinished' })
  }

  /** Writes one line about those added since the last one, if there are any. */
  log (log: FastifyBaseLogger): void {
    if (this.#named.length === 0) return
    log.error({ tasks: this.#named, ...(this.#more > 0 && { more: this.#more }) }, 'background tasks left unfinished')
    this.#named = []
    this.#more = 0
  }

  #add (task: BackgroundTask, more: object): void {
    if (this.#known.has(task)) return
    this.#known.add(task)
    // Who is not named needs no id.
    if (this.#named.length === NAMED) this.#more++
    else this.#named.push({ name: task.name, id: task.id, reqId: task.owner.reqId, ...more })
  }
}
