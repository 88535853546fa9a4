import type { TaskSnapshot } from '../../types/index.js'
import { isFinal } from '../base/snapshot.js'
import type { RecordedTask } from './recorded-task.js'
import type { Question } from './store.js'
import type { View, ViewData } from './view-data.js'

/** How many tasks of one request the engine is asked for at a time. */
const MAX_ASKED = 50

/** How long an answer about a task serves. A task that has ended may run again. */
const UNFINISHED_MS = 1000
const ENDED_MS = 10_000

/** The view `request/<number>`: a request with the lanes of its tasks. */
export class RequestView implements View {
  readonly questions = []
  readonly #data: ViewData
  readonly #number: number
  /** The questions about tasks that other processes have. */
  readonly #asked = new Map<RecordedTask, Question<TaskSnapshot | undefined>>()

  constructor (data: ViewData, number: number) {
    this.#data = data
    this.#number = number
  }

  write (entries: Map<string, string>): void {
    const request = this.#data.recorder.requests.findByNumber(this.#number)
    if (request === undefined) return
    for (const task of request.tasks) this.#follow(task)
    entries.set('request', request.text)
  }

  end (): void {
    for (const question of this.#asked.values()) this.#data.store.leave(question)
  }

  #follow (lane: RecordedTask): void {
    const { store, tasks } = this.#data
    const task = lane.target ?? lane
    const { id, isElsewhere } = task
    const question = this.#asked.get(task)
    if (question !== undefined && !isElsewhere) {
      store.leave(question)
      this.#asked.delete(task)
    } else if (question?.answer !== undefined) {
      task.hear(question.answer)
    } else if (question === undefined && isElsewhere && this.#asked.size < MAX_ASKED) {
      this.#asked.set(task, store.read(`lane ${id}`, () => tasks.get(id!), servesFor))
    }
  }
}

function servesFor (answer: TaskSnapshot | undefined): number {
  return answer !== undefined && isFinal(answer.state) ? ENDED_MS : UNFINISHED_MS
}
