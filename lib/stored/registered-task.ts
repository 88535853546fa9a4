import type { StoredTask, TaskSnapshot } from '../../types/index.js'
import { BackgroundTask, type Owner } from '../task/task.js'
import type { ResolvedTaskOptions } from '../options/task-options.js'

/**
 * Where a registered task is.
 * `outbox`: this process has not given it to the engine yet.
 * `storing`: the engine has been given it, and has not answered.
 * `here`: the engine keeps it in this process, which runs it.
 * `elsewhere`: a store keeps it that processes share; what `add` returned is a receipt.
 * `merged`: another task has its key, and runs in its stead.
 * `guest`: the engine has one attempt of it run here, for whoever stored it.
 */
export type Place = 'outbox' | 'storing' | 'here' | 'elsewhere' | 'merged' | 'guest'

/** An attempt as the engine sees it. */
export interface EngineRun {
  /** The attempt has ended, and unless `delay` milliseconds are given the task with it. */
  end (delay?: number): void
  progress (value: unknown): void
}

/** What has a task that was added here until it has ended. */
export interface Keeper {
  /** Cancels a task of which only the engine knows the effect; false of any other. */
  cancelLate (task: RegisteredTask, reason: unknown): boolean
  /** Lets go of a task that has ended here. */
  drop (task: RegisteredTask): void
}

/** Holds a task that this process cannot cancel. */
export const GONE = { cancel: () => false }

/** A task that an engine keeps, or is about to. */
export class RegisteredTask extends BackgroundTask {
  place: Place
  /** When its delay was over and it began to wait, on the monotonic clock. */
  dueAt: number | undefined = undefined
  /** The attempt that runs. */
  run: EngineRun | undefined = undefined
  readonly stored: StoredTask
  /** Undefined of a guest. */
  readonly #keeper: Keeper | undefined
  #isIdUnread = false
  /** The task that runs instead of this one. */
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

  /** Has the id tracked only once somebody reads it: most receipts are never asked for. */
  trackOnRead (): void {
    this.#isIdUnread = true
  }

  /** Engines keep an order of their own. */
  override get isInOrder (): boolean {
    return false
  }

  /** Whether it is to run was judged when it was stored. */
  override get isWanted (): boolean {
    return true
  }

  override get outlivesProcess (): boolean {
    return this.place === 'guest'
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
    // So that its key is free at once.
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

  /** A shared store has the task, under an id that is another task's where that one has the key. Returns whether history knows it. */
  goElsewhere (id: string): boolean {
    const isTracked = !this.#isIdUnread
    this.#isIdUnread = false
    this.extras!.id = id
    this.place = 'elsewhere'
    this.extras!.holder = GONE
    return isTracked
  }

  /** Shows from now on what becomes of another task, which has the key. */
  follow (target: BackgroundTask): void {
    this.extras!.id = target.id
    this.place = 'merged'
    this.#target = target
    this.extras!.holder = { cancel: (reason) => target.cancel(reason) }
  }

  override toJSON (): TaskSnapshot {
    return this.#target === undefined ? super.toJSON() : this.#target.toJSON()
  }
}
