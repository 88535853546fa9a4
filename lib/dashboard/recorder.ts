import type { TaskState } from '../../types/index.js'
import { Fifo } from '../base/fifo.js'
import { isFinal } from '../base/snapshot.js'
import { TaskList } from '../request/task-list.js'
import { RegisteredTask } from '../stored/registered-task.js'
import type { BackgroundTask, Owner } from '../task/task.js'
import type { TaskObserver } from '../task/task-observer.js'
import { Names } from './names.js'
import { RecordedRequest, type RequestFacts } from './recorded-request.js'
import { RecordedTask } from './recorded-task.js'

/** How many requests and tasks are kept: the latest. */
const MAX_REQUESTS = 200
const MAX_TASKS = 1000

/** Records the requests, tasks and attempts of an app while somebody looks. Reads no task's id, and keeps no request. */
export class Recorder implements TaskObserver {
  readonly names: Names
  /** Tasks that run here for a shared store, and have not ended. */
  readonly guests = new Set<RegisteredTask>()
  readonly #onChange: () => void
  /** The oldest first. */
  readonly requests: RecordedRequest[] = []
  readonly #tasks = new Fifo<RecordedTask>()
  readonly #byList = new WeakMap<Owner, RecordedRequest>()
  /** Tasks that have neither ended nor gone elsewhere. */
  readonly #byTask = new Map<BackgroundTask, RecordedTask>()
  readonly #byId = new Map<string, RecordedTask>()
  #numbers = 0
  #unsettled: Array<[task: RecordedTask, from: BackgroundTask]> = []

  /** `runsStored`: whether this process runs the registered tasks. */
  constructor (runsStored: boolean, onChange: () => void) {
    this.names = new Names(runsStored)
    this.#onChange = onChange
  }

  /** Takes in the tasks that were added before the recording. The requests of most are over, and not known any more. */
  begin (tasks: BackgroundTask[]): void {
    const first = tasks.length - MAX_TASKS
    tasks.forEach((task, index) => { this.#enter(task, Math.max(task.createdAt, 0), index >= first) })
  }

  entered (task: BackgroundTask): void {
    this.#enter(task, performance.now(), true)
    this.#onChange()
  }

  moved (task: BackgroundTask, from: TaskState): void {
    const { state } = task
    const recorded = this.#byTask.get(task)
    const stats = this.names.of(task.name)
    stats?.count(from, -1)
    stats?.count(state, 1)
    if (task instanceof RegisteredTask && isFinal(state)) this.guests.delete(task)
    if (recorded !== undefined) {
      const ran = recorded.move(task, performance.now())
      if (ran !== undefined) stats?.ran(ran)
      if (isFinal(state) || (state === 'delayed' && ran !== undefined)) this.#settleSoon(recorded, task)
      recorded.request?.change()
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
    const request = this.#byList.get(list)
    if (request === undefined) return
    request.respond(list.response!, performance.now())
    this.#onChange()
  }

  #enter (task: BackgroundTask, now: number, isRecorded: boolean): void {
    const known = this.#findAgain(task)
    if (task instanceof RegisteredTask && task.place === 'guest') this.guests.add(task)
    if (known !== undefined) {
      known.goOn(task)
      known.request?.change()
      this.#byTask.set(task, known)
    }
    const recorded = known ?? new RecordedTask(++this.#numbers, task, isRecorded ? this.#requestOf(task.owner, now) : undefined, now)
    this.names.enter(task.name, recorded.kind).count(task.state, 1)
    if (known === undefined && isRecorded) this.#push(task, recorded)
  }

  /** The task that this one goes on with: a task of a shared store has an object for each attempt. */
  #findAgain (task: BackgroundTask): RecordedTask | undefined {
    return task instanceof RegisteredTask ? this.#byId.get(task.stored.id) : undefined
  }

  #push (task: BackgroundTask, recorded: RecordedTask): void {
    this.#byTask.set(task, recorded)
    if (task instanceof RegisteredTask) this.#byId.set(task.stored.id, recorded)
    recorded.request?.tasks.push(recorded)
    recorded.request?.change()
    this.#tasks.push(recorded)
    if (this.#tasks.size > MAX_TASKS) this.#drop(this.#tasks.shift()!)
  }

  #requestOf (list: Owner, now: number): RecordedRequest | undefined {
    const known = this.#byList.get(list)
    if (known !== undefined) return known.isDropped ? undefined : known
    const facts = factsOf(list, now)
    if (facts === undefined) return undefined
    const request = new RecordedRequest(++this.#numbers, facts)
    this.#byList.set(list, request)
    this.requests.push(request)
    if (this.requests.length > MAX_REQUESTS) this.#dropRequest(this.requests.shift()!)
    return request
  }

  #dropRequest (request: RecordedRequest): void {
    request.isDropped = true
    for (const task of request.tasks.splice(0)) this.#forget(task)
  }

  #drop (recorded: RecordedTask): void {
    if (recorded.isDropped) return
    const { request } = recorded
    if (request !== undefined) {
      request.tasks.splice(request.tasks.indexOf(recorded), 1)
      request.change()
    }
    this.#forget(recorded)
  }

  #forget (recorded: RecordedTask): void {
    const { id, task } = recorded
    if (task !== undefined) this.#byTask.delete(task)
    if (id !== undefined && this.#byId.get(id) === recorded) this.#byId.delete(id)
    recorded.drop()
  }

  /** Looks at the task once the code that ends it has set its outcome, and has logged its id. */
  #settleSoon (recorded: RecordedTask, task: BackgroundTask): void {
    if (this.#unsettled.push([recorded, task]) === 1) queueMicrotask(this.#settle)
  }

  readonly #settle = (): void => {
    for (const [recorded, task] of this.#unsettled.splice(0)) {
      // The next attempt of a stored task may have begun.
      if (recorded.isDropped || this.#byTask.get(task) !== recorded) continue
      const isOver = task.state !== 'delayed' || !this.#isHere(task)
      recorded.settle(isOver)
      if (isOver) this.#byTask.delete(task)
      if (task.state === 'failed' || task.state === 'delayed') this.names.of(task.name)?.failed(recorded.error?.message ?? '')
      recorded.request?.change()
    }
  }

  #isHere (task: BackgroundTask): boolean {
    return !(task instanceof RegisteredTask) || !(task.place === 'elsewhere' || task.place === 'merged')
  }
}

function factsOf (list: Owner, now: number): RequestFacts | undefined {
  const { request } = list
  if (request === undefined) return undefined
  const elapsed = (list instanceof TaskList ? list.reply?.elapsedTime : undefined) ?? 0
  return {
    reqId: String(request.id),
    method: request.method,
    route: request.routeOptions.url ?? '(no route)',
    arrival: performance.now() - elapsed
  }
}
