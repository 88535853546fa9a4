import type { TaskErrorSnapshot, TaskState } from '../../types/index.js'
import { errorSnapshot, isFinal } from '../base/snapshot.js'
import { RegisteredTask } from '../stored/registered-task.js'
import type { BackgroundTask } from '../task/task.js'
import type { RecordedRequest } from './recorded-request.js'
import type { Attempt, Lane, TaskKind } from './view.js'

/** How many attempts of a task are kept. */
const MAX_ATTEMPTS = 100

/** A task as the recorder saw it. Times are milliseconds on the monotonic clock. */
export class RecordedTask {
  readonly name: string
  readonly kind: TaskKind
  state: TaskState
  /** The id of a registered task, and of any other task whose id was read by its end. */
  id: string | undefined
  error: TaskErrorSnapshot | undefined = undefined
  /** Whether the task is no longer recorded. */
  isDropped = false
  /** The task, until it ends or goes on elsewhere. Its result and its payload may be large. */
  task: BackgroundTask | undefined
  #attempts: Attempt[] = []
  #ended: number | undefined = undefined
  readonly #when: string

  constructor (readonly number: number, task: BackgroundTask, readonly request: RecordedRequest | undefined, readonly added: number) {
    this.name = task.name
    this.kind = kindOf(task)
    this.#when = task.options.when
    this.state = task.state
    this.task = task
    this.id = knownId(task)
    if (task.state === 'active') this.#begin(task, task.attempt === 1 ? task.startedAt : performance.now())
  }

  /** Goes on with a task of the same id: the next attempt of a stored task, or one that was run again. */
  goOn (task: BackgroundTask): void {
    this.task = task
    this.state = task.state
    this.#ended = this.error = undefined
  }

  /** Takes the new state of the task. Returns the milliseconds of the attempt that has ended, if one has. */
  move (task: BackgroundTask, now: number): number | undefined {
    const { state } = task
    this.state = state
    const ran = this.#end(state, now)
    if (state === 'active') this.#begin(task, now)
    if (isFinal(state)) this.#ended = now
    return ran
  }

  /** Keeps what is to be shown of a task that has ended, gone on elsewhere or failed an attempt, and lets go of it if it is over. */
  settle (isOver: boolean): void {
    const task = this.task
    if (task === undefined) return
    this.id = knownId(task)
    this.error = errorOf(task)
    if (isOver) this.task = undefined
  }

  drop (): void {
    this.isDropped = true
    this.task = undefined
  }

  /** Whether this process has the task no more, but it has not ended here. */
  get isElsewhere (): boolean {
    return this.task === undefined && !isFinal(this.state)
  }

  /** The lane of the task, its times counted from `start`. */
  lane (start: number): Lane {
    const since = (ms: number): number => Math.max(0, round(ms - start))
    const { number, name, kind, state, error } = this
    const id = this.id ?? (this.task && knownId(this.task))
    const nextAt = state === 'delayed' ? this.task?.extras?.nextAt : undefined
    return {
      number,
      name,
      kind,
      state,
      ...(id !== undefined && { id }),
      added: since(this.added),
      attempts: this.#attempts.map(({ from, to, ...attempt }) => ({ ...attempt, from: since(from), ...(to !== undefined && { to: since(to) }) })),
      ...(nextAt !== undefined && { nextAt: since(nextAt) }),
      ...(this.#ended !== undefined && { ended: since(this.#ended) }),
      ...(error !== undefined && state !== 'completed' && { error }),
      ...(state === 'skipped' && { when: this.#when }),
      ...(this.isElsewhere && { isElsewhere: true as const })
    }
  }

  #begin ({ attempt }: BackgroundTask, from: number): void {
    if (this.#attempts.length === MAX_ATTEMPTS) this.#attempts.shift()
    this.#attempts.push({ attempt, from })
  }

  #end (state: TaskState, now: number): number | undefined {
    const last = this.#attempts.at(-1)
    if (last === undefined || last.to !== undefined) return undefined
    last.to = now
    last.outcome = state === 'completed' || state === 'cancelled' ? state : 'failed'
    return now - last.from
  }
}

function kindOf (task: BackgroundTask): TaskKind {
  if (task instanceof RegisteredTask) return task.options.startsLate === true ? 'file' : 'registered'
  return task.isFollowed ? 'promise' : 'function'
}

/** The id of a task, if it was read. This does not count as reading it. */
function knownId (task: BackgroundTask): string | undefined {
  return task.extras?.id
}

/** The error of a task, or that of its last attempt while it is delayed. */
function errorOf (task: BackgroundTask): TaskErrorSnapshot | undefined {
  const { state } = task
  if (state === 'failed' || state === 'cancelled') return errorSnapshot(task.error)
  return state === 'delayed' && task.hasStarted ? errorSnapshot(task.outcome) : undefined
}

/** To a tenth of a millisecond. */
export function round (ms: number): number {
  return Math.round(10 * ms) / 10
}
