import type { FastifyBaseLogger } from 'fastify'
import type { TaskState } from '../../types/index.js'
import type { BackgroundTask } from '../task/task.js'

/** How many tasks the line names. A hundred thousand names would be too long for a line. */
const NAMED = 100

/** The tasks that close has left unfinished, for the log line. */
export class Unfinished {
  #named: object[] = []
  #more = 0
  readonly #known = new WeakSet<BackgroundTask>()

  add (task: BackgroundTask, state: TaskState): void {
    this.#add(task, { state })
  }

  /** Adds a failed task whose `onError` has not settled. */
  addReport (task: BackgroundTask): void {
    this.#add(task, { state: task.state, onError: 'unfinished' })
  }

  /** Writes one line about the tasks added since the last line, if there are any. */
  log (log: FastifyBaseLogger): void {
    if (this.#named.length === 0) return
    log.error({ tasks: this.#named, ...(this.#more > 0 && { more: this.#more }) }, 'background tasks left unfinished')
    this.#named = []
    this.#more = 0
  }

  #add (task: BackgroundTask, more: object): void {
    if (this.#known.has(task)) return
    this.#known.add(task)
    // A task that the line does not name needs no id.
    if (this.#named.length === NAMED) this.#more++
    else this.#named.push({ name: task.name, id: task.id, reqId: task.owner.reqId, ...more })
  }
}
