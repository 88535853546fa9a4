import type { TaskState, TaskStats } from '../../types/index.js'
import { LinkedList } from '../base/linked-list.js'
import { nowMs } from '../base/clock.js'
import type { BackgroundTask, Owner } from './task.js'
import { oldestIn } from './oldest.js'
import { setImmediate } from '../base/real-timers.js'
import type { TaskObserver } from './task-observer.js'
import { Watchers } from '../base/watchers.js'

/** The final states. */
export type EndState = 'completed' | 'failed' | 'cancelled' | 'skipped'

/** Counts the tasks of the app and knows which are unfinished. */
export class Census {
  unfinished = 0
  retries = 0
  readonly watchers = new Watchers()
  /** Failed tasks whose `onError` has not settled. */
  readonly reporting = new Set<BackgroundTask>()
  /** Undefined unless somebody looks at the dashboard. */
  observer: TaskObserver | undefined = undefined
  #active = 0
  #delayed = 0
  readonly #ended = { completed: 0, failed: 0, cancelled: 0, skipped: 0 }
  /** How many of the ended tasks a shared store counts as well. */
  readonly storedEnds = { completed: 0, failed: 0, cancelled: 0, skipped: 0 }
  /** The lists that have unfinished tasks. */
  readonly #lists = new LinkedList<Owner>()
  readonly #emptyListeners = new Set<() => void>()
  #isLooking = false

  /** Counts a new task. Its list must hold the task already. */
  enter (task: BackgroundTask): void {
    if (task.owner.size === 1) this.#lists.push(task.owner)
    this.unfinished++
    this.#count(task.state, 1)
    this.observer?.entered(task)
  }

  /** Changes the state of an unfinished task. */
  move (task: BackgroundTask, state: TaskState): void {
    const from = task.state
    this.#count(from, -1)
    task.state = state
    this.#count(state, 1)
    this.changed(task)
    this.observer?.moved(task, from)
  }

  /** Waiting tasks have no counter: `stats` subtracts the active and the delayed tasks from the unfinished ones. */
  #count (state: TaskState, change: 1 | -1): void {
    if (state === 'active') this.#active += change
    else if (state === 'delayed') this.#delayed += change
  }

  /** Tells the watchers of a task that its snapshot has changed. */
  changed (task: BackgroundTask): void {
    const id = task.extras?.id
    if (id !== undefined && !this.watchers.empty) this.watchers.notify(id)
  }

  /** Ends a task. `taken`: whether the task had a place in the order of its list. */
  leave (task: BackgroundTask, state: EndState, taken: boolean): void {
    this.move(task, state)
    this.#ended[state]++
    this.#forget(task, taken)
  }

  /** Forgets a task that another process or another task goes on with. The task gets no final state here. */
  handOver (task: BackgroundTask): void {
    this.#count(task.state, -1)
    this.#forget(task, false)
    this.observer?.left(task)
  }

  /** Keeps the census from being empty until the promise of `onError` settles. The promise must not reject. */
  waitForReport (task: BackgroundTask, report: Promise<void>): void {
    this.reporting.add(task)
    report.then(() => {
      this.reporting.delete(task)
      this.#lookSoon()
    })
  }

  /** How many tasks have completed since the start. */
  get completed (): number {
    return this.#ended.completed
  }

  /** Whether every task has ended and every `onError` has settled. */
  get isEmpty (): boolean {
    return this.unfinished === 0 && this.reporting.size === 0
  }

  #forget (task: BackgroundTask, taken: boolean): void {
    const { owner } = task
    owner.remove(task, taken)
    if (owner.size === 0) this.#lists.remove(owner)
    if (--this.unfinished === 0) this.#lookSoon()
  }

  /** Looks in a turn of its own. The microtasks that follow the end of a task may add another task. */
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

  /** The unfinished tasks, list by list. */
  tasks (): BackgroundTask[] {
    const tasks: BackgroundTask[] = []
    for (const list of this.#lists) {
      for (const task of list) tasks.push(task)
    }
    return tasks
  }

  /** Resolves to true in a turn after the census became empty. After `timeoutMs` it resolves to whether the census is empty. */
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
