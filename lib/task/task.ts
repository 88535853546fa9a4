import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { ResponseEnd, Task, TaskSnapshot } from '../../types/index.js'
import { copyKeepable } from '../base/json.js'
import { setImmediate } from '../base/real-timers.js'
import type { ResolvedTaskOptions } from '../options/task-options.js'
import { TaskExtras } from './task-extras.js'
import { TaskLife } from './task-life.js'
import type { TaskOwner } from './task-owner.js'
import { taskSnapshot } from './task-snapshot.js'
import { isWanted } from './when.js'

const NOTHING: any[] = []

/** The list of a task. */
export type Owner = TaskOwner<BackgroundTask>

/** A task inside this package. The class is kept small: an app may hold a hundred thousand tasks. */
export class BackgroundTask extends TaskLife implements Task<any> {
  /** The neighbours in the list of unfinished tasks. */
  previous: BackgroundTask | undefined = undefined
  next: BackgroundTask | undefined = undefined
  extras: TaskExtras | undefined = undefined

  constructor (
    readonly owner: Owner,
    name: string,
    /** Undefined for a task of `waitUntil`, and after the end of any task. */
    public fn: ((...args: any[]) => unknown) | undefined,
    public args: any[],
    readonly options: ResolvedTaskOptions
  ) {
    super(name)
  }

  get id (): string {
    const extras = this.ownExtras()
    if (extras.id === undefined) {
      extras.id = randomUUID()
      this.owner.track(this, extras.id)
    }
    return extras.id
  }

  /** Whether the id was ever read. Before that, no caller can ask for the task by its id. */
  get isIdKnown (): boolean {
    return this.extras?.id !== undefined
  }

  get log (): FastifyBaseLogger {
    const extras = this.ownExtras()
    if (extras.log !== undefined) return extras.log
    const { request, response } = this.owner
    const log = this.owner.log.child({ task: this.name, taskId: this.id })
    // Until the response is over, a hook may replace the request's logger. Only a later child is kept.
    if (request === undefined || response !== undefined) extras.log = log
    return log
  }

  get server (): FastifyInstance {
    return this.owner.server
  }

  get response (): ResponseEnd | undefined {
    return this.owner.response
  }

  get signal (): AbortSignal {
    const extras = this.ownExtras()
    return extras.signal(this.state === 'cancelled' ? this.error : extras.abortReason)
  }

  /** Whether the task follows a promise of `waitUntil`. The answer is right only until the task ends. */
  get isFollowed (): boolean {
    return this.fn === undefined
  }

  /** Whether the task has a place in the order of its list. */
  get isInOrder (): boolean {
    return true
  }

  /** Whether the response meets the option `when`. */
  get isWanted (): boolean {
    return isWanted(this.options.when, this.response)
  }

  /** Whether another process runs the task again when this process cannot end it. */
  get outlivesProcess (): boolean {
    return false
  }

  /** The key of a registered task. */
  get key (): string | undefined {
    return undefined
  }

  /** When the task began to wait, on the monotonic clock. */
  get waitingSince (): number {
    return this.createdAt
  }

  progress (value: unknown): void {
    const copy = copyKeepable(value, 'progress')
    if (this.finished) return
    this.ownExtras().progress = copy
    this.owner.progressed(this)
  }

  cancel (reason?: unknown): boolean {
    if (this.finished) return false
    const holder = this.extras?.holder
    return holder === undefined ? this.owner.cancel(this, reason) : holder.cancel(reason)
  }

  /** Aborts the signal of the attempt that runs. A signal that is first read later has aborted too. */
  abort (reason: unknown): void {
    if (this.state === 'cancelled') return this.extras?.abortSignal(this.error)
    const extras = this.ownExtras()
    extras.abortReason = reason
    extras.abortSignal(reason)
  }

  /** Has the next attempt start after `delayMs`. */
  backOff (delayMs: number, start: (task: BackgroundTask) => void): void {
    if (delayMs > 0) this.ownExtras().timer = setTimeout(start, delayMs, this)
    else setImmediate(start, this)
  }

  /** Counts the next attempt and renews the signal. */
  nextAttempt (): void {
    this.attempt++
    this.extras?.renewSignal()
  }

  /** Called once the task has ended. */
  onEnd (): void {}

  /** Drops the function and the arguments of a task that has ended. */
  release (): void {
    this.fn = undefined
    this.args = NOTHING
  }

  toJSON (): TaskSnapshot {
    return { id: this.id, ...taskSnapshot(this, this.ownExtras()) }
  }

  /** The object that `console.log` prints. Printing makes no id. */
  [inspect.custom] (): object {
    return this.isIdKnown ? this.toJSON() : taskSnapshot(this, this.ownExtras())
  }

  ownExtras (): TaskExtras {
    return (this.extras ??= new TaskExtras())
  }
}
