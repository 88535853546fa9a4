import type { TaskErrorSnapshot, TaskSnapshot, TaskState } from '../../types/index.js'
import { isFinal } from '../base/snapshot.js'
import type { BackgroundTask } from '../task/task.js'
import type { NameStats } from './name-stats.js'
import { round } from './round.js'
import { outcomeOf, snapshotLane } from './snapshot-lane.js'
import { errorOf, isAway, kindOf, knownId } from './task-facts.js'
import type { Attempt, Lane, TaskKind } from './view.js'

/** How many attempts of a task are kept. */
const MAX_ATTEMPTS = 100

/** The request that has added a recorded task. */
export interface LaneOwner {
  readonly number: number
  readonly method: string
  readonly route: string
  /** Notes that one of its tasks has changed. */
  change (): void
  remove (task: RecordedTask): void
}

/** A task as the recorder saw it. Times are milliseconds on the monotonic clock. */
export class RecordedTask {
  readonly name: string
  readonly kind: TaskKind
  state: TaskState
  /** The id of a registered task, and of any other task whose id was read by its end. */
  id: string | undefined
  error: TaskErrorSnapshot | undefined = undefined
  /** The task, until it ends or goes on elsewhere. Its result and its payload may be large. */
  task: BackgroundTask | undefined
  /** The task that runs in place of this one, as it has the key. */
  target: RecordedTask | undefined = undefined
  /** What the engine has said of the task since it went elsewhere. */
  heard: TaskSnapshot | undefined = undefined
  #attempts: Attempt[] = []
  #ended: number | undefined = undefined
  readonly #when: string

  constructor (
    readonly number: number,
    task: BackgroundTask,
    /** The request that has added the task, while the recorder keeps it. */
    public request: LaneOwner | undefined,
    readonly added: number,
    /** The statistics of its name. */
    public stats: NameStats
  ) {
    this.name = task.name
    this.kind = kindOf(task)
    this.#when = task.options.when
    this.state = task.state
    this.task = task
    this.id = knownId(task)
    this.error = errorOf(task)
    if (task.state === 'active') this.#begin(task, task.attempt === 1 ? Math.max(task.startedAt, added) : performance.now())
  }

  /** Goes on with a task of the same id: the next attempt of a stored task, or one that was run again. */
  goOn (task: BackgroundTask, stats: NameStats): void {
    this.task = task
    this.stats = stats
    this.state = task.state
    this.#ended = this.error = this.heard = undefined
    this.request?.change()
  }

  /** Takes the new state of the task. Returns the milliseconds of the attempt that has ended, if one has. */
  move (task: BackgroundTask, now: number): number | undefined {
    const { state } = task
    this.state = state
    const ranMs = this.#end(state, now)
    if (state === 'active') this.#begin(task, now)
    if (isFinal(state)) this.#ended = now
    this.request?.change()
    return ranMs
  }

  /**
   * Keeps what is shown of a task that has ended, gone on elsewhere or failed an attempt. Lets go of the task unless it goes on
   * here. Returns the message of a failure.
   */
  settle (task: BackgroundTask): string | undefined {
    this.id = knownId(task)
    this.error = errorOf(task)
    if (isFinal(task.state) || isAway(task)) this.task = undefined
    this.request?.change()
    return task.state === 'cancelled' ? undefined : this.error?.message
  }

  /** Takes what the engine says of the task. Of earlier attempts it says nothing. */
  hear (snapshot: TaskSnapshot): void {
    if (!this.isElsewhere || JSON.stringify(snapshot) === JSON.stringify(this.heard)) return
    this.heard = snapshot
    this.request?.change()
  }

  /** Whether this process has the task no more, but it has not ended here. */
  get isElsewhere (): boolean {
    return this.task === undefined && this.target === undefined && !isFinal(this.state)
  }

  /** Whether the lane changes with that of another task. */
  get isFollowing (): boolean {
    return this.target !== undefined && !isFinal(this.target.state)
  }

  /** The id, if it was read, or is that of a registered task. */
  get knownId (): string | undefined {
    return this.id ?? (this.task && knownId(this.task))
  }

  /** The lane of the task, its times counted from `start`. */
  lane (start: number): Lane {
    const { number, name, kind, state, knownId: id, error } = this
    const since = (ms: number): number => Math.max(0, round(ms - start))
    const nextAt = state === 'delayed' ? this.task?.extras?.nextAt : undefined
    const seen: Lane = {
      number,
      name,
      kind,
      state,
      ...(id !== undefined && { id }),
      added: since(this.added),
      attempts: this.#attempts.map(({ from, to, ...attempt }) => ({ ...attempt, from: since(from), ...(to !== undefined && { to: since(to) }) })),
      ...(nextAt !== undefined && { nextAt: since(nextAt) }),
      ...(this.#ended !== undefined && { ended: since(this.#ended) }),
      ...(error !== undefined && { error }),
      ...(state === 'skipped' && { when: this.#when })
    }
    if (this.target !== undefined) return { ...this.target.lane(start), number, added: seen.added }
    return this.isElsewhere ? { ...seen, ...this.#told(seen), isElsewhere: true } : seen
  }

  #told ({ added, attempts }: Lane): Partial<Lane> {
    if (this.heard === undefined) return {}
    const addedAt = Math.round(Date.now() - performance.now() + this.added)
    return snapshotLane(this.heard, (iso) => Math.max(0, added + Date.parse(iso) - addedAt), attempts)
  }

  #begin ({ attempt }: BackgroundTask, from: number): void {
    if (this.#attempts.length === MAX_ATTEMPTS) this.#attempts.shift()
    this.#attempts.push({ attempt, from })
  }

  #end (state: TaskState, now: number): number | undefined {
    const last = this.#attempts.at(-1)
    if (last === undefined || last.to !== undefined) return undefined
    last.to = now
    last.outcome = outcomeOf(state)
    return now - last.from
  }
}
