import type { SharedTaskOptions, Task } from '../../../index.js'
import type { TaskPlan } from './plan.js'
import type { Visit } from './visit.js'

const FINAL = ['completed', 'failed', 'cancelled', 'skipped']

/** A task that was to be added, and what became of it. */
export class Added {
  readonly plan: TaskPlan
  /** The request it was added to; undefined for one of the app. */
  readonly visit: Visit | undefined
  /** Undefined while it is being added, and where `add` has thrown. */
  task: Task | undefined = undefined
  /** The code of the error that `add` has thrown. */
  refusal: unknown = undefined
  isCaptured = false
  /** Captured and let go by `TaskCapture.clear`: it counts nowhere. */
  isForgotten = false
  /** Attempts that have started. */
  starts = 0
  /** When the attempt that runs has started. */
  startedAt = 0
  /** Somebody has cancelled it, with an effect. */
  isCancelled = false
  /** Whether it had ended when close was called. */
  endedBeforeClose = false
  errorLines = 0
  onErrors = 0

  constructor (plan: TaskPlan, visit: Visit | undefined) {
    this.plan = plan
    this.visit = plan.onApp === true ? undefined : visit
  }

  get via (): NonNullable<TaskPlan['via']> {
    return this.plan.via ?? 'function'
  }

  get isFinal (): boolean {
    return this.task !== undefined && FINAL.includes(this.task.state)
  }

  /** Whether stats, size and idle count it. What is captured enters when it is run, or cancelled. */
  get counts (): boolean {
    return this.task !== undefined && (!this.isCaptured || this.isFinal)
  }

  /** Whether it takes its turn in the order of its list. */
  get isInOrder (): boolean {
    return this.via !== 'registered' && this.via !== 'waitUntil'
  }

  /** Options that `add` is given. */
  get options (): SharedTaskOptions {
    const { when, timeout, retries, retryDelay = 1 } = this.plan
    return {
      ...(when !== undefined && { when }),
      ...(timeout !== undefined && { timeout }),
      ...(retries !== undefined && { retry: { retries, delay: retryDelay, jitter: false } })
    }
  }

  /** Attempts that it may take. */
  get mostAttempts (): number {
    return this.via === 'function' || this.via === 'waitUntil' ? 1 : 1 + (this.plan.retries ?? 0)
  }

  /** What `when` and `timeout` are for it: a plain function has no options. */
  get when (): TaskPlan['when'] {
    return this.via === 'function' || this.via === 'waitUntil' ? undefined : this.plan.when
  }

  get timeout (): number | undefined {
    return this.via === 'function' || this.via === 'waitUntil' ? undefined : this.plan.timeout
  }
}
