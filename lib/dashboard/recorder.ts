import type { TaskSnapshot, TaskState } from '../../types/index.js'
import { isFinal } from '../base/snapshot.js'
import { RegisteredTask } from '../stored/registered-task.js'
import type { BackgroundTask, Owner } from '../task/task.js'
import type { TaskObserver } from '../task/task-observer.js'
import type { NameStats } from './name-stats.js'
import { Names } from './names.js'
import type { RecordedRequest } from './recorded-request.js'
import { RecordedRequests } from './recorded-requests.js'
import { RecordedTask } from './recorded-task.js'
import { RecordedTasks } from './recorded-tasks.js'
import { kindOf } from './task-facts.js'

/** A microtask by way of a promise is the cheapest. */
const soon = Promise.resolve()

/** Records the requests, tasks and attempts of an app while somebody looks. Reads no task's id, and keeps no request. */
export class Recorder implements TaskObserver {
  readonly names: Names
  readonly requests = new RecordedRequests()
  readonly tasks = new RecordedTasks()
  /** Tasks that run here for a shared store, and have not ended. */
  readonly guests = new Set<RegisteredTask>()
  readonly #onChange: () => void
  #numbers = 0
  #unsettled: RecordedTask[] = []

  /** `runsStored`: whether this process runs the registered tasks. */
  constructor (runsStored: boolean, onChange: () => void) {
    this.names = new Names(runsStored)
    this.#onChange = onChange
  }

  /** Takes in the tasks that were added before the recording. Most of their requests are over, and not known any more. */
  begin (tasks: BackgroundTask[]): void {
    tasks.forEach((task, index) => { this.#enter(task, task.createdAt, RecordedTasks.isLate(index, tasks.length)) })
  }

  entered (task: BackgroundTask): void {
    this.#enter(task, performance.now(), true)
    this.#onChange()
  }

  moved (task: BackgroundTask, from: TaskState): void {
    const { state } = task
    const recorded = this.tasks.of(task)
    const stats = this.#count(task, recorded, from, -1)
    stats?.count(state, 1)
    if (task instanceof RegisteredTask && isFinal(state)) this.guests.delete(task)
    if (recorded !== undefined) {
      const ranMs = recorded.move(task, performance.now())
      if (ranMs !== undefined) stats?.ran(ranMs)
      if (isFinal(state)) this.tasks.leave(task)
      if (isFinal(state) || ranMs !== undefined) this.#settleSoon(recorded)
    }
    this.#onChange()
  }

  left (task: BackgroundTask): void {
    const recorded = this.tasks.of(task)
    this.#count(task, recorded, task.state, -1)
    if (task instanceof RegisteredTask) this.guests.delete(task)
    if (recorded !== undefined) {
      this.tasks.leave(task)
      this.#settleSoon(recorded)
    }
    this.#onChange()
  }

  progressed (): void {
    this.#onChange()
  }

  responded (list: Owner): void {
    const request = this.requests.find(list)
    if (request === undefined) return
    request.respond(list.response!, performance.now())
    this.#onChange()
  }

  /** Takes what the engine says of a task that is not here. */
  hear (snapshot: TaskSnapshot): void {
    this.tasks.findRegistered(snapshot.id)?.hear(snapshot)
  }

  /** Counts a task by its name, and returns the statistics of that. Undefined if the name was dropped. */
  #count (task: BackgroundTask, recorded: RecordedTask | undefined, state: TaskState, change: 1 | -1): NameStats | undefined {
    const stats = recorded?.stats ?? this.names.of(task.name)
    stats?.count(state, change)
    return stats
  }

  #enter (task: BackgroundTask, added: number, isKept: boolean): void {
    const known = task instanceof RegisteredTask ? this.tasks.findRegistered(task.stored.id) : undefined
    if (task instanceof RegisteredTask && task.place === 'guest') this.guests.add(task)
    const stats = this.names.enter(task.name, kindOf(task))
    stats.count(task.state, 1)
    if (known !== undefined) {
      this.tasks.goOn(task, known)
      known.goOn(task, stats)
    } else if (isKept) {
      const request = this.#requestOf(task.owner)
      const recorded = new RecordedTask(++this.#numbers, task, request, added, stats)
      request?.add(recorded)
      this.tasks.keep(task, recorded)
    }
  }

  /** The request of a list. Undefined for a list of the app, and where the request is not known, or was dropped. */
  #requestOf (list: Owner): RecordedRequest | undefined {
    const request = this.requests.enter(list)
    for (const task of this.requests.dropOldest()) {
      task.request = undefined
      this.tasks.forget(task)
    }
    return request
  }

  /** Looks at the task once the code that ends its attempt has set the outcome, and has logged its id. */
  #settleSoon (recorded: RecordedTask): void {
    if (this.#unsettled.push(recorded) === 1) soon.then(this.#settle)
  }

  readonly #settle = (): void => {
    const unsettled = this.#unsettled
    this.#unsettled = []
    for (const recorded of unsettled) {
      const { task, id: before } = recorded
      // The task may be forgotten, or have been settled as it moved.
      if (task === undefined) continue
      const error = recorded.settle(task)
      if (before !== undefined && recorded.id !== before) this.tasks.rename(recorded, before)
      if (error !== undefined) recorded.stats.failed(error, Date.now())
    }
  }
}
