import type { TaskSnapshot } from '../../types/index.js'
import type { AppTasks } from '../app/app-tasks.js'

/** A task that is followed to its end. Its final snapshot is kept here, as the history may drop it. */
export class FollowedTask {
  /** Stops following the task. */
  readonly end: () => void
  readonly #tasks: AppTasks
  readonly #id: string
  #final: TaskSnapshot | undefined

  constructor (tasks: AppTasks, id: string) {
    this.#tasks = tasks
    this.#id = id
    const { census, history } = tasks.services
    this.end = census.watchers.add(id, () => {
      if (history.find(id)?.finished === true) this.#final = history.get(id)
    })
  }

  /** The present snapshot, or the final one. */
  async get (): Promise<TaskSnapshot | undefined> {
    return this.#final ?? await this.#tasks.get(this.#id)
  }
}
