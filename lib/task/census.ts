import type { TaskState, TaskStats } from '../../types/index.js'
import { LinkedList } from '../base/linked-list.js'
import { nowMs } from '../base/clock.js'
import type { BackgroundTask, Owner } from './task.js'
import { setImmediate } from '../base/real-timers.js'
import { Watchers } from '../base/watchers.js'

/** The final states. */
export type EndState = 'completed' | 'failed' | 'cancelled' | 'skipped'

/** Counts the tasks of the app and knows which are unfinished. */
export class Census {
  unfinished = 0
  retries = 0
  readonly watchers = new Watchers()
  /** Tasks that have failed, and whose `onError` is under way. */
  readonly reporting = new Set<BackgroundTask>()
  #active = 0
  #delayed = 0
  readonly #ended = { completed: 0, failed: 0, cancelled: 0, skipped: 0 }
  /** The lists that have unfinished tasks. */
  readonly #lists = new LinkedList<Owner>()
  readonly #emptyListeners = new Set<() => void>()
  #isLooking = false

  /** A task begins, in a list that has it already. */
  enter (task: BackgroundTask): void {
    if (task.owner.size === 1) this.#lists.push(task.owner)
    this.unfinished++
    this.#count(task.state, 1)
  }

  /** A task goes on to another state. */
  move (task: BackgroundTask, state: TaskState): void {
    this.#count(task.state, -1)
    task.state = state
    this.#count(state, 1)
    this.changed(task)
  }

  /** Waiting tasks are not counted: they are the rest. */
  #count (state: TaskState, change: 1 | -1): void {
    if (state === 'active') this.#active += change
    else if (state === 'delayed') this.#delayed += change
  }

  /** Something that a snapshot shows has changed. */
  changed (task: BackgroundTask): void {
    const id = task.extras?.id
    if (id !== undefined && !this.watchers.empty) this.watchers.notify(id)
  }

  /** A task ends. `taken`: it had its place in the order of its list. */
  leave (task: BackgroundTask, state: EndState, taken: boolean): void {
    this.move(task, state)
    this.#ended[state]++
    this.#forget(task, taken)
  }

  /** A task goes on elsewhere: it leaves without a final state. */
  handOver (task: BackgroundTask): void {
    this.#count(task.state, -1)
    this.#forget(task, false)
  }

  /** The end of a task is not over before this promise settles, which must not reject. */
  waitForReport (task: BackgroundTask, report: Promise<void>): void {
    this.reporting.add(task)
    report.then(() => {
      this.reporting.delete(task)
      this.#lookSoon()
    })
  }

  /** Whether nothing is unfinished and no `onError` under way. */
  get isEmpty (): boolean {
    return this.unfinished === 0 && this.reporting.size === 0
  }

  #forget (task: BackgroundTask, taken: boolean): void {
    const { owner } = task
    owner.remove(task, taken)
    if (owner.size === 0) this.#lists.remove(owner)
    if (--this.unfinished === 0) this.#lookSoon()
  }

  /** In a turn of its own: what goes on at the end of a task, in however many microtasks, may add another. */
  #lookSoon (): void {
    if (this.#isLooking || this.#emptyListeners.size === 0) return
    this.#isLooking = true
    setImmediate(this.#look)
  }

  readonly #look = (): void => {
    this.#isLooking = false
    if (!this.isEmpty) return
    for (const listener of this.#emptyListeners) listener()
    this.#emptyListeners.clear()
  }

  /** The unfinished tasks, request by request. */
  tasks (): BackgroundTask[] {
    const tasks: BackgroundTask[] = []
    for (const list of this.#lists) {
      for (const task of list) tasks.push(task)
    }
    return tasks
  }

  /** Resolves, in a later turn, to true once the census is empty, or after `timeoutMs` to whether it is. */
  whenEmpty (timeoutMs?: number): Promise<boolean> {
    return new Promise((resolve) => {
      const onEmpty = (): void => {
        clearTimeout(timer)
        resolve(true)
      }
      const onTimeout = (): void => {
        this.#emptyListeners.delete(onEmpty)
        resolve(this.isEmpty)
      }
      const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs)
      this.#emptyListeners.add(onEmpty)
      if (this.isEmpty) this.#lookSoon()
    })
  }

  stats (): TaskStats {
    const now = nowMs()
    let oldest = now
    for (const list of this.#lists) oldest = Math.min(oldest, oldestIn(list))
    const active = this.#active
    const delayed = this.#delayed
    const waiting = this.unfinished - active - delayed
    return { waiting, active, delayed, ...this.#ended, retries: this.retries, oldestWaitingMs: now - oldest }
  }
}

/** Since when, on the monotonic clock, a task of the list has been waiting; Infinity when none waits. */
function oldestIn (list: Owner): number {
  let oldest = Infinity
  for (const { state, createdAt, waitingSince } of list) {
    if (state !== 'waiting') continue
    oldest = Math.min(oldest, waitingSince)
    // The tasks behind this one were added later.
    if (waitingSince === createdAt) break
  }
  return oldest
}
