import type { TaskSnapshot, TaskState } from '../../../index.js'
import { LATER, type StoredPlan } from './plan.js'

const FINAL = ['completed', 'failed', 'cancelled', 'skipped']

export const isFinal = (snapshot: TaskSnapshot | undefined): boolean => snapshot !== undefined && FINAL.includes(snapshot.state)

/** A task that the store has, as the model knows it. */
export class Entry {
  readonly id: string
  readonly plan: StoredPlan
  /** Before it was given to the store. */
  readonly addedAt: number
  /** How many tasks had started when the store had it. */
  storedAt = Infinity
  starts = 0
  /** Attempts that have failed as planned. */
  failures = 0
  isRunning = false
  /** A cancel had an effect. */
  isCancelled = false
  /** Somebody has let it go on. */
  isReleased = false
  /** The store has said that it has ended. */
  isEnded = false
  /** The store is gone that had it. */
  isLost = false

  constructor (id: string, plan: StoredPlan, addedAt: number) {
    this.id = id
    this.plan = plan
    this.addedAt = addedAt
  }

  /** Whether nothing can have ended it. */
  get isSurelyUnfinished (): boolean {
    const { held, delay } = this.plan
    return !this.isEnded && !this.isCancelled && !this.isLost && (delay === LATER || (held === true && !this.isReleased))
  }

  /** Whether it ends once everything is released. */
  get willEnd (): boolean {
    return !this.isLost && (this.isCancelled || this.plan.delay !== LATER)
  }

  /** How it ends by itself. */
  get end (): { state: TaskState, attempt: number } {
    const { fails = 0, retries = 0 } = this.plan
    return fails <= retries ? { state: 'completed', attempt: fails + 1 } : { state: 'failed', attempt: retries + 1 }
  }

  /** What is wrong with what the store says of it at any moment. */
  problemOf (snapshot: TaskSnapshot | undefined): string | undefined {
    if (this.isLost) return snapshot === undefined ? undefined : `get knows what is lost as ${snapshot.state}`
    if (snapshot === undefined) return 'get does not know it'
    const { state, attempt, id } = snapshot
    if (id !== this.id) return `get gives ${id}`
    if (this.isEnded && !isFinal(snapshot)) return `is ${state} after it had ended`
    if (this.isSurelyUnfinished && isFinal(snapshot)) return `is ${state}`
    if (this.plan.delay === LATER && !isFinal(snapshot) && !this.isCancelled && state !== 'delayed') return `is ${state} where it is to be delayed`
    if (state === 'skipped' || (state === 'cancelled' && !this.isCancelled)) return `is ${state} where nobody has cancelled it`
    if (state === 'completed' && this.isCancelled) return 'is completed after a cancel that had an effect'
    const { end } = this
    if (attempt > end.attempt) return `makes attempt ${attempt} of ${end.attempt}`
    if ((state === 'completed' || (state === 'failed' && !this.isCancelled)) && (state !== end.state || attempt !== end.attempt)) {
      return `is ${state} by attempt ${attempt} where ${end.state} by attempt ${end.attempt} is right`
    }
    return undefined
  }
}
