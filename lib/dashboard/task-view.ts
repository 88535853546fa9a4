import type { ListedTask, StoredPayload, TaskSnapshot } from '../../types/index.js'
import { showEnded, showUnfinished, withOrigin } from '../app/process-tasks.js'
import { taskLane } from './task-lane.js'
import { possibilities } from './possibilities.js'
import type { Question } from './store.js'
import type { View, ViewData } from './view-data.js'
import type { TaskEntry } from './view.js'

/** How long to wait for what a store has of a task that it does not know yet. */
const FACTS_MS = 1000

/** The view `task/<id>`. */
export class TaskView implements View {
  readonly questions: View['questions']
  readonly #data: ViewData
  readonly #id: string
  readonly #stored: Question<{ snapshot: TaskSnapshot | undefined }>
  /** What never changes of a stored task. Asked for once the task is known. */
  #facts: Question<StoredPayload | undefined> | undefined
  #payload: { readonly state: TaskSnapshot['state'], readonly shown: { value: unknown } | undefined } | undefined

  constructor (data: ViewData, id: string) {
    this.#data = data
    this.#id = id
    const { client } = data.tasks.services
    this.#stored = data.store.read(`task ${id}`, async () => ({ snapshot: await client.ask((engine) => engine.get(id)) }))
    this.questions = [this.#stored]
  }

  write (entries: Map<string, string>, canAct: boolean): void {
    const { tasks: { services }, recorder } = this.#data
    const stored = this.#stored.answer
    if (stored?.snapshot !== undefined) recorder.hear(stored.snapshot)
    const task = this.#here() ?? this.#elsewhere(stored?.snapshot)
    if (task !== undefined) {
      const recorded = recorder.tasks.find(task.id)
      const request = recorded?.request
      const entry: TaskEntry = {
        ...task,
        ...possibilities(services, task, task.where, canAct),
        ...this.#shownPayload(task),
        ...(request !== undefined && { request: { number: request.number, method: request.method, route: request.route } }),
        lane: taskLane(services, task, recorded)
      }
      entries.set('task', JSON.stringify(entry))
    } else if (stored !== undefined) {
      entries.set('found', JSON.stringify({ request: recorder.requests.findByReqId(this.#id)?.number }))
    }
  }

  end (): void {
    const { store } = this.#data
    store.leave(this.#stored)
    if (this.#facts !== undefined) store.leave(this.#facts)
  }

  /** The task as this process knows it: not yet ended, or one that the history finds. */
  #here (): ListedTask | undefined {
    const { tasks: { services: { history } }, recorder } = this.#data
    const task = history.find(this.#id) ?? recorder.tasks.find(this.#id)?.task
    return task === undefined ? showEnded(history, this.#id) : { ...showUnfinished(task), where: 'process' }
  }

  #elsewhere (snapshot: TaskSnapshot | undefined): ListedTask | undefined {
    if (snapshot === undefined) return undefined
    const { client } = this.#data.tasks.services
    const facts = this.#readFacts()
    const where = client.isLocal ? 'process' as const : 'stored' as const
    return withOrigin({ ...snapshot, where }, facts?.reqId, facts?.key)
  }

  #readFacts (): StoredPayload | undefined {
    const { tasks: { services: { client } }, store } = this.#data
    if (client.engine.payload === undefined) return undefined
    const ask = (): Promise<StoredPayload | undefined> => client.ask((engine) => engine.payload!(this.#id))
    this.#facts ??= store.read(`facts ${this.#id}`, ask, (facts) => facts === undefined ? FACTS_MS : Infinity)
    return this.#facts.answer
  }

  /** Asks the option `payload` anew when the task has another state. */
  #shownPayload (task: TaskSnapshot): Pick<TaskEntry, 'payload'> {
    const facts = this.#readFacts()
    if (facts === undefined) return {}
    if (this.#payload?.state !== task.state) this.#payload = { state: task.state, shown: this.#data.showPayload(facts.payload, task) }
    return this.#payload.shown === undefined ? {} : { payload: this.#payload.shown }
  }
}
