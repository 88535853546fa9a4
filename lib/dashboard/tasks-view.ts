import type { TaskPage, TaskQuery } from '../../types/index.js'
import { errors } from '../errors.js'
import { Counts } from './counts.js'
import { possibilities } from './possibilities.js'
import type { Question } from './store.js'
import type { View, ViewData } from './view-data.js'

/** The view `tasks/<state>`: a page of `list`. */
export class TasksView implements View {
  readonly questions: View['questions']
  readonly #data: ViewData
  readonly #counts: Counts
  readonly #page: Question<TaskPage>

  constructor (data: ViewData, query: TaskQuery) {
    this.#data = data
    this.#counts = new Counts(data)
    this.#page = data.store.read(`list ${JSON.stringify(query)}`, () => list(data, query))
    this.questions = [this.#counts.stored, this.#page]
  }

  write (entries: Map<string, string>, canAct: boolean): void {
    const { services } = this.#data.tasks
    entries.set('counts', JSON.stringify(this.#counts.entry()))
    const page = this.#page.answer
    if (page === undefined) return
    const { tasks, cursor, scanned } = page
    entries.set('list', JSON.stringify({ ids: tasks.map(({ id }) => id), cursor, scanned }))
    for (const task of tasks) {
      entries.set(`task:${task.id}`, JSON.stringify({ ...task, ...possibilities(services, task, task.where, canAct) }))
    }
  }

  end (): void {
    this.#counts.end()
    this.#data.store.leave(this.#page)
  }
}

async function list ({ tasks }: ViewData, query: TaskQuery): Promise<TaskPage> {
  try {
    return await tasks.list(query)
  } catch (error) {
    // The cursor is in the address of the page, which anybody may change.
    if (error instanceof errors.FST_BGT_INVALID_OPTIONS) return { tasks: [], scanned: 0 }
    throw error
  }
}
