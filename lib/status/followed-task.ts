import type { TaskSnapshot } from '../../types/index.js'
import type { AppTasks } from '../app/app-tasks.js'

/** A task of which somebody wants to see every change and the end, though history may keep nothing of it. */
export class FollowedTask {
  /** Ends the following. */
  readonly end: () => void
  readonly #tasks: AppTasks
  readonly #id: string
  #final: TaskSnapshot | undefined

  constructor (tasks: AppTasks, id: string, onChange: () => void = () => {}) {
    this.#tasks = tasks
    this.#id = id
    this.end = tasks.watch(id, () => {
      const { history } = tasks.executor
      if (history.find(id)?.finished === true) this.#final = history.get(id)
      onChange()
    })
  }

  /** The present snapshot, or the final one. */
  async get (): Promise<TaskSnapshot | undefined> {
    return this.#final ?? await this.#tasks.get(this.#id)
  }
}
