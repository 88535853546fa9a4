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

/** A task as the library sees it. Kept small: an app may hold a hundred thousand of them. */
export class BackgroundTask extends TaskLife implements Task<any> {
  /** Neighbours in the list of unfinished tasks. */
  previous: BackgroundTask | undefined = undefined
  next: BackgroundTask | undefined = undefined
  extras: TaskExtras | undefined = undefined

  constructor (
    readonly owner: Owner,
    name: string,
    /** Undefined for a promise that is only waited for, and once the task has ended. */
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

  /** Whether somebody has asked for the id: nobody else can ask this process for the task. */
  get isIdKnown (): boolean {
    return this.extras?.id !== undefined
  }

  get log (): FastifyBaseLogger {
    const extras = this.ownExtras()
    if (extras.log !== undefined) return extras.log
    const { request, response } = this.owner
    const log = this.owner.log.child({ task: this.name, taskId: this.id })
    // Until then the request's logger may be replaced.
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

  /** Whether it is a promise under way that is only waited for. Not to be asked of a task that has ended. */
  get isFollowed (): boolean {
    return this.fn === undefined
  }

  /** Whether the task has a place in the order of its list. */
  get isInOrder (): boolean {
    return true
  }

  /** Whether the response is of the kind that the task waits for. */
  get isWanted (): boolean {
    return isWanted(this.options.when, this.response)
  }

  /** Whether another process runs the task again where this one does not end it. */
  get outlivesProcess (): boolean {
    return false
  }

  /** Since when the task has been waiting, on the monotonic clock. */
  get waitingSince (): number {
    return this.createdAt
  }

  progress (value: unknown): void {
    const copy = copyKeepable(value, 'progress')
    if (this.finished) return
    this.ownExtras().progress = copy
    this.owner.changed(this)
  }

  cancel (reason?: unknown): boolean {
    if (this.finished) return false
    const holder = this.extras?.holder
    return holder === undefined ? this.owner.cancel(this, reason) : holder.cancel(reason)
  }

  /** Aborts the signal of the attempt that runs, also for who reads it later. */
  abort (reason: unknown): void {
    if (this.state === 'cancelled') return this.extras?.abortSignal(this.error)
    const extras = this.ownExtras()
    extras.abortReason = reason
    extras.abortSignal(reason)
  }

  /** An attempt has failed: has the next one start after `delayMs`. */
  backOff (delayMs: number, start: (task: BackgroundTask) => void): void {
    if (delayMs > 0) this.ownExtras().timer = setTimeout(start, delayMs, this)
    else setImmediate(start, this)
  }

  /** The next attempt begins. */
  nextAttempt (): void {
    this.attempt++
    this.extras?.renewSignal()
  }

  /** Called once the task has ended. */
  onEnd (): void {}

  /** The task has ended: what it would have run is of no use any more. */
  release (): void {
    this.fn = undefined
    this.args = NOTHING
  }

  toJSON (): TaskSnapshot {
    return { id: this.id, ...taskSnapshot(this, this.ownExtras()) }
  }

  /** What `console.log` prints. It makes no id. */
  [inspect.custom] (): object {
    return this.isIdKnown ? this.toJSON() : taskSnapshot(this, this.ownExtras())
  }

  ownExtras (): TaskExtras {
    return (this.extras ??= new TaskExtras())
  }
}
