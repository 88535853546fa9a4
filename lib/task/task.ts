import { AsyncResource } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { ResponseEnd, StoredTask, Task, TaskSnapshot, TaskState } from '../../types/index.js'
import { Cancelled } from './cancelled.js'
import { nowMs } from '../base/clock.js'
import { copyKeepable } from '../base/json.js'
import type { ResolvedTaskOptions } from '../options/options.js'
import { errorSnapshot, isFinal } from '../base/snapshot.js'
import type { StoredRun, TaskExtras } from './task-extras.js'
import type { TaskOwner } from './task-owner.js'

// The resource keeps the async context of `add`. Without destroy hooks of our own, Node need not track its collection.
export const RESOURCE_OPTIONS = { requireManualDestroy: true }

const NOTHING: any[] = []

/** A task as the library sees it. Kept small: an app may hold a hundred thousand of them. */
export class BackgroundTask extends AsyncResource implements Task<any> {
  state: TaskState = 'waiting'
  attempt = 1
  readonly createdAt = nowMs()
  startedAt = -1
  finishedAt = -1
  /** The result of a completed task, the error of a failed one; of a cancelled one too, or what stands for it. */
  outcome: unknown = undefined
  /** Neighbours in the list of unfinished tasks. */
  previous: BackgroundTask | undefined = undefined
  next: BackgroundTask | undefined = undefined
  extras: TaskExtras | undefined = undefined

  constructor (
    readonly owner: TaskOwner<BackgroundTask>,
    readonly name: string,
    /** Undefined for a promise that is only waited for, and once the task has ended. */
    public fn: ((...args: any[]) => unknown) | undefined,
    public args: any[],
    readonly options: ResolvedTaskOptions
  ) {
    super('BackgroundTask', RESOURCE_OPTIONS)
  }

  get id (): string {
    const extras = this.#extras()
    if (extras.id === undefined || extras.isIdUnread === true) {
      extras.id ??= randomUUID()
      extras.isIdUnread = false
      this.owner.track(this, extras.id)
    }
    return extras.id
  }

  /** Makes this a task for an engine. */
  store (stored: StoredTask): void {
    const extras = this.#extras()
    extras.stored = stored
    extras.id = stored.id
  }

  get log (): FastifyBaseLogger {
    const extras = this.#extras()
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

  get result (): any {
    return this.state === 'completed' ? this.outcome : undefined
  }

  get error (): unknown {
    if (this.state === 'cancelled' && this.outcome instanceof Cancelled) this.outcome = this.outcome.toError(this.name)
    return this.state === 'failed' || this.state === 'cancelled' ? this.outcome : undefined
  }

  get signal (): AbortSignal {
    const extras = this.#extras()
    if (extras.controller === undefined) {
      extras.controller = new AbortController()
      const reason = this.state === 'cancelled' ? this.error : extras.abortReason
      if (reason !== undefined) extras.controller.abort(reason)
    }
    return extras.controller.signal
  }

  get finished (): boolean {
    return isFinal(this.state)
  }

  progress (value: unknown): void {
    const copy = copyKeepable(value, 'progress')
    if (this.finished) return
    this.#extras().progress = copy
    this.extras?.run?.progress(copy)
    this.owner.changed(this)
  }

  cancel (reason?: unknown): boolean {
    return !this.finished && this.owner.cancel(this, reason)
  }

  /** Aborts the signal of the attempt that runs, also for who reads it later. */
  abort (reason: unknown): void {
    if (this.state === 'cancelled') return this.extras?.controller?.abort(this.error)
    const extras = this.#extras()
    extras.abortReason = reason
    extras.controller?.abort(reason)
  }

  /** Whether the task is in no list of this process, for it runs elsewhere or not at all. */
  setGone (isGone: boolean): void {
    this.#extras().isGone = isGone
  }

  /** Has the engine that runs this attempt told how it ends. */
  setRun (run: StoredRun | undefined): void {
    this.#extras().run = run
  }

  /** Has the time of this attempt begin when it says so. */
  setClock (startClock: () => void): void {
    this.#extras().startClock = startClock
  }

  /** Starts the task's only timer: of the attempt that runs, or of the backoff. */
  setTimer (callback: (task: BackgroundTask, attempt: number) => void, ms: number): void {
    this.#extras().timer = setTimeout(callback, ms, this, this.attempt)
  }

  /** Has the trace of this attempt ended with it. */
  setTrace (endTrace: (failed: boolean, value: unknown) => void): void {
    this.#extras().endTrace = endTrace
  }

  /** The attempt that ran, or the backoff after it, is over: frees what belonged to it. */
  endAttempt (failed: boolean, value: unknown): void {
    const extras = this.extras
    if (extras === undefined) return
    clearTimeout(extras.timer)
    extras.timer = undefined
    extras.endTrace?.(failed, value)
    extras.endTrace = extras.startClock = undefined
  }

  /** The task has ended: what it would have run is of no use any more. */
  release (): void {
    this.fn = undefined
    this.args = NOTHING
  }

  /** The next attempt begins with a signal that has not aborted. */
  nextAttempt (): void {
    this.attempt++
    const extras = this.#extras()
    if (extras.abortReason !== undefined) extras.controller = extras.abortReason = undefined
  }

  toJSON (): TaskSnapshot {
    return this.extras?.mergedInto?.toJSON() ?? { id: this.id, ...this.#snapshot() }
  }

  /** What `console.log` prints. A task that nobody has asked for its id does not get one by it. */
  [inspect.custom] (): object {
    const extras = this.#extras()
    return extras.id === undefined || extras.isIdUnread === true ? this.#snapshot() : this.toJSON()
  }

  #snapshot (): Omit<TaskSnapshot, 'id'> {
    const extras = this.#extras()
    const epochMs = (extras.epochMs ??= Date.now() - nowMs())
    const iso = (ms: number): string => new Date(epochMs + ms).toISOString()
    return {
      name: this.name,
      state: this.state,
      attempt: this.attempt,
      ...(extras.progress !== undefined && { progress: extras.progress }),
      createdAt: iso(this.createdAt),
      ...(this.startedAt >= 0 && { startedAt: iso(this.startedAt) }),
      ...(this.finishedAt >= 0 && { finishedAt: iso(this.finishedAt) }),
      ...((this.state === 'failed' || this.state === 'cancelled') && { error: errorSnapshot(this.error) }),
      ...(this.state === 'completed' && this.options.hasResult === true && { result: this.outcome })
    }
  }

  #extras (): TaskExtras {
    return (this.extras ??= {})
  }
}
