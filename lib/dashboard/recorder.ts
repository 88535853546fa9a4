import type { TaskSnapshot, TaskState } from '../../types/index.js'
import { Fifo } from '../base/fifo.js'
import { isFinal } from '../base/snapshot.js'
import { RegisteredTask } from '../stored/registered-task.js'
import type { BackgroundTask, Owner } from '../task/task.js'
import type { TaskObserver } from '../task/task-observer.js'
import { Names } from './names.js'
import type { RecordedRequest } from './recorded-request.js'
import { RecordedRequests } from './recorded-requests.js'
import { RecordedTask } from './recorded-task.js'

/** How many tasks are kept: the latest. */
const MAX_TASKS = 1000

/** Records the requests, tasks and attempts of an app while somebody looks. Reads no task's id, and keeps no request. */
export class Recorder implements TaskObserver {
  readonly names: Names
  readonly requests = new RecordedRequests()
  /** Tasks that run here for a shared store, and have not ended. */
  readonly guests = new Set<RegisteredTask>()
  readonly #onChange: () => void
  /** The oldest first. A request that is dropped leaves its tasks here. */
  readonly #tasks = new Fifo<RecordedTask>()
  /** Tasks that have neither ended nor gone elsewhere. */
  readonly #byTask = new Map<BackgroundTask, RecordedTask>()
  /** Registered tasks. */
  readonly #byId = new Map<string, RecordedTask>()
  #numbers = 0
  #unsettled: Array<[recorded: RecordedTask, task: BackgroundTask]> = []

  /** `runsStored`: whether this process runs the registered tasks. */
  constructor (runsStored: boolean, onChange: () => void) {
    this.names = new Names(runsStored)
    this.#onChange = onChange
  }

  /** Takes in the tasks that were added before the recording. Most of their requests are over, and not known any more. */
  begin (tasks: BackgroundTask[]): void {
    const first = tasks.length - MAX_TASKS
    tasks.forEach((task, index) => { this.#enter(task, task.createdAt, index >= first) })
  }

  entered (task: BackgroundTask): void {
    this.#enter(task, performance.now(), true)
    this.#onChange()
  }

  moved (task: BackgroundTask, from: TaskState): void {
    const { state } = task
    const stats = this.names.of(task.name)
    stats?.count(from, -1)
    stats?.count(state, 1)
    if (task instanceof RegisteredTask && isFinal(state)) this.guests.delete(task)
    const recorded = this.#byTask.get(task)
    if (recorded !== undefined) {
      const ranMs = recorded.move(task, performance.now())
      if (ranMs !== undefined) stats?.ran(ranMs)
      if (isFinal(state) || ranMs !== undefined) this.#settleSoon(recorded, task)
    }
    this.#onChange()
  }

  left (task: BackgroundTask): void {
    this.names.of(task.name)?.count(task.state, -1)
    if (task instanceof RegisteredTask) this.guests.delete(task)
    const recorded = this.#byTask.get(task)
    if (recorded !== undefined) this.#settleSoon(recorded, task)
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

  /** The task of an id that was read, or of a registered task. */
  find (id: string): RecordedTask | undefined {
    return this.#byId.get(id) ?? this.#tasks.toArray().find((task) => task.knownId === id)
  }

  /** Takes what the engine says of a task that is not here. */
  hear (snapshot: TaskSnapshot): void {
    this.#byId.get(snapshot.id)?.hear(snapshot)
  }

  #enter (task: BackgroundTask, added: number, isKept: boolean): void {
    const known = this.#findAgain(task)
    if (task instanceof RegisteredTask && task.place === 'guest') this.guests.add(task)
    const request = known === undefined && isKept ? this.#requestOf(task.owner) : undefined
    const recorded = known ?? new RecordedTask(++this.#numbers, task, request, added)
    this.names.enter(task.name, recorded.kind).count(task.state, 1)
    if (known === undefined && !isKept) return
    this.#byTask.set(task, recorded)
    if (known !== undefined) known.goOn(task)
    else this.#keep(task, recorded, request)
  }

  /** The task that this one goes on with: a task of a shared store has an object for each attempt. */
  #findAgain (task: BackgroundTask): RecordedTask | undefined {
    return task instanceof RegisteredTask ? this.#byId.get(task.stored.id) : undefined
  }

  #keep (task: BackgroundTask, recorded: RecordedTask, request: RecordedRequest | undefined): void {
    if (task instanceof RegisteredTask) this.#byId.set(task.stored.id, recorded)
    request?.add(recorded)
    this.#tasks.push(recorded)
    if (this.#tasks.size <= MAX_TASKS) return
    const oldest = this.#tasks.shift()!
    oldest.request?.remove(oldest)
    this.#forget(oldest)
  }

  /** The request of a list. Undefined for a list of the app, and where the request is not known, or was dropped. */
  #requestOf (list: Owner): RecordedRequest | undefined {
    const request = this.requests.enter(list)
    const dropped = this.requests.dropOldest()
    if (dropped !== undefined) for (const task of dropped.tasks) this.#forget(task)
    return request
  }

  #forget (recorded: RecordedTask): void {
    const { id, task } = recorded
    if (task !== undefined) this.#byTask.delete(task)
    if (id !== undefined && this.#byId.get(id) === recorded) this.#byId.delete(id)
    recorded.task = undefined
  }

  /** Has a task be found by the id of the one that has its key, unless that one is recorded itself. */
  #rename (recorded: RecordedTask, before: string): void {
    const id = recorded.id!
    this.#byId.delete(before)
    recorded.target = this.#byId.get(id)
    if (recorded.target === undefined) this.#byId.set(id, recorded)
  }

  /** Looks at the task once the code that ends its attempt has set the outcome, and has logged its id. */
  #settleSoon (recorded: RecordedTask, task: BackgroundTask): void {
    if (this.#unsettled.push([recorded, task]) === 1) queueMicrotask(this.#settle)
  }

  readonly #settle = (): void => {
    const unsettled = this.#unsettled
    this.#unsettled = []
    for (const [recorded, task] of unsettled) {
      // The task may be forgotten, or have been settled as it moved.
      if (this.#byTask.get(task) !== recorded) continue
      const before = recorded.id
      const error = recorded.settle(task)
      if (before !== undefined && recorded.id !== before) this.#rename(recorded, before)
      if (error !== undefined) this.names.of(task.name)?.failed(error, Date.now())
      if (recorded.task === undefined) this.#byTask.delete(task)
    }
  }
}
