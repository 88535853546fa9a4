import type { StoredTask, TaskSnapshot } from '../../types/index.js'
import { BackgroundTask, type Owner } from '../task/task.js'
import type { ResolvedTaskOptions } from '../options/task-options.js'
import { GONE } from '../task/task-extras.js'

/**
 * Where a registered task is.
 * `outbox`: this process has not given the task to the engine yet.
 * `storing`: the engine was given the task, and has not answered.
 * `here`: a local engine has the task, and this process runs it.
 * `elsewhere`: a shared store has the task, or a transaction of the user does. The object that `add` returned is only a receipt.
 * `merged`: another task has the key, and runs in place of this one.
 * `guest`: this process runs one attempt of a task that some process has stored.
 */
export type Place = 'outbox' | 'storing' | 'here' | 'elsewhere' | 'merged' | 'guest'

/** The engine's side of an attempt. */
export interface EngineRun {
  /** Tells the engine that the attempt is over. With `delay`, the next attempt is due after these milliseconds. */
  end (delay?: number): void
  progress (value: unknown): void
}

/** The outbox, as a task that was added in this process sees it. */
export interface Keeper {
  /** Has the engine cancel a task that it is storing. Returns false for a task in any other place. */
  cancelLate (task: RegisteredTask, reason: unknown): boolean
  /** Drops a task that has ended in this process. */
  drop (task: RegisteredTask): void
}

/** A task that an engine keeps, or is about to keep. */
export class RegisteredTask extends BackgroundTask {
  place: Place
  /** When the delay was over and the task began to wait, on the monotonic clock. */
  dueAt: number | undefined = undefined
  /** The attempt that runs. */
  run: EngineRun | undefined = undefined
  readonly stored: StoredTask
  /** Undefined for a guest. */
  readonly #keeper: Keeper | undefined
  #isIdUnread = false
  /** The task that runs in place of this one. */
  #target: BackgroundTask | undefined = undefined

  constructor (
    owner: Owner, fn: BackgroundTask['fn'], args: unknown[], options: ResolvedTaskOptions, stored: StoredTask, keeper?: Keeper
  ) {
    super(owner, stored.name, fn, args, options)
    this.place = keeper === undefined ? 'guest' : 'outbox'
    this.stored = stored
    this.#keeper = keeper
    this.ownExtras().id = stored.id
  }

  override get id (): string {
    const { id } = this.extras!
    if (this.#isIdUnread) {
      this.#isIdUnread = false
      this.owner.track(this, id!)
    }
    return id!
  }

  override get isIdKnown (): boolean {
    return !this.#isIdUnread
  }

  /** Has the history track the id when it is first read. Most receipts are never asked for by id. */
  trackOnRead (): void {
    this.#isIdUnread = true
  }

  /** A registered task has no place in the order of its list: its engine has an order of its own. */
  override get isInOrder (): boolean {
    return false
  }

  /** The outbox has judged `when` before the task was stored. */
  override get isWanted (): boolean {
    return true
  }

  override get outlivesProcess (): boolean {
    return this.place === 'guest'
  }

  override get isStored (): boolean {
    return this.place !== 'outbox' && this.place !== 'storing'
  }

  override get key (): string | undefined {
    return this.stored.key
  }

  override get waitingSince (): number {
    return this.dueAt ?? this.createdAt
  }

  override progress (value: unknown): void {
    super.progress(value)
    if (!this.finished) this.run?.progress(this.extras!.progress)
  }

  override cancel (reason?: unknown): boolean {
    if (this.finished) return false
    if (this.#keeper?.cancelLate(this, reason) === true) return true
    const isRunByEngine = this.run !== undefined
    const hasEffect = super.cancel(reason)
    // The engine frees the key at once.
    if (isRunByEngine) this.#keeper?.drop(this)
    return hasEffect
  }

  override backOff (delayMs: number): void {
    this.run!.end(delayMs)
  }

  override onEnd (): void {
    if (this.run !== undefined) this.run.end()
    else this.#keeper?.drop(this)
  }

  /**
   * Gives the task to the engine. A task for a transaction of the user is `elsewhere` at once: from then on, only the end of the
   * transaction decides on the task.
   */
  leave (place: 'storing' | 'elsewhere'): StoredTask {
    this.place = place
    if (place === 'elsewhere') this.extras!.holder = GONE
    return this.stored
  }

  /** Makes the task a receipt, under the id that the shared store has answered. Returns whether the history tracks the task. */
  goElsewhere (id: string): boolean {
    const isTracked = !this.#isIdUnread
    this.#isIdUnread = false
    this.extras!.id = id
    this.leave('elsewhere')
    return isTracked
  }

  /** Makes the task a receipt of the target, which has the key. */
  follow (target: BackgroundTask): void {
    this.extras!.id = target.id
    this.place = 'merged'
    this.#target = target
    this.extras!.holder = { cancel: (reason) => target.cancel(reason) }
  }

  override toJSON (): TaskSnapshot {
    if (this.#target !== undefined) return this.#target.toJSON()
    const snapshot = super.toJSON()
    // Another process may have added the task, by a clock that is ahead. A task that runs again is older than this object.
    const createdAt = new Date(this.stored.createdAt).toISOString()
    const { startedAt = createdAt, finishedAt = createdAt } = snapshot
    return { ...snapshot, createdAt: [createdAt, startedAt, finishedAt].sort()[0]! }
  }
}
