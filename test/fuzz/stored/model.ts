import type { Task, TaskSnapshot } from '../../../index.js'
import { Entry, isFinal } from './entry.js'
import type { StoredPlan } from './plan.js'

/** What a store is to do, whatever it is made of. */
export class Model {
  readonly entries = new Map<string, Entry>()
  readonly broken: string[] = []
  /** Ids of tasks that were dropped before they were stored. */
  readonly dropped = new Set<string>()
  /** When the last tasks were added. */
  addingAt = 0
  /** Tasks that have started, in all apps. */
  starts = 0
  /** What `starts` was before the last start in this app: whatever the store had by then, the next one was chosen from. */
  #chosenSince: number | undefined

  report (problem: string, entry?: Entry): void {
    const number = entry === undefined ? '' : `task ${[...this.entries.values()].indexOf(entry)} `
    this.broken.push(`${number}${problem}`)
  }

  /** Another app goes on with the store, or with an empty one. */
  reopen (isKept: boolean): void {
    this.#chosenSince = undefined
    if (isKept) return
    for (const entry of this.entries.values()) entry.isLost = true
  }

  /** The store has given this id to a task. Its handler may have started before. */
  stored (plan: StoredPlan, id: string): void {
    const { key } = plan
    const others = [...this.entries.values()].filter((entry) => key !== undefined && entry.plan.key === key && !entry.isLost)
    const holder = others.find(({ isSurelyUnfinished }) => isSurelyUnfinished)
    if (holder !== undefined && holder.id !== id) this.report(`has the key ${key}, and another one was stored`, holder)
    const known = this.entries.get(id)
    if (known?.storedAt !== undefined && known.storedAt < Infinity) {
      if (known.plan.key === undefined || known.plan.key !== key) this.report('has an id that was given twice', known)
      if (known.isEnded) this.report('has ended, and a task with its key is merged into it', known)
      return
    }
    const entry = known ?? new Entry(id, plan, this.addingAt)
    entry.storedAt = this.starts
    this.entries.set(id, entry)
  }

  /** A handler is called. */
  start (task: Task, plan: StoredPlan, concurrency: number | undefined): Entry {
    const entry = this.entries.get(task.id) ?? new Entry(task.id, plan, this.addingAt)
    this.entries.set(task.id, entry)
    if (this.dropped.has(task.id)) this.report('was dropped, and runs', entry)
    if (entry.isRunning) this.report('runs twice at once', entry)
    if (entry.isEnded) this.report('runs after it had ended', entry)
    if (task.attempt !== entry.failures + 1) this.report(`makes attempt ${task.attempt} after ${entry.failures} failures`, entry)
    const early = entry.addedAt + (entry.failures === 0 ? plan.delay ?? 0 : 0) - Date.now()
    // Clocks are read in whole milliseconds, here and there.
    if (early > 1) this.report(`starts ${early} ms too early`, entry)
    if (concurrency === 1) this.#checkPriority(entry)
    this.#chosenSince = this.starts
    this.starts++
    entry.starts++
    entry.isRunning = true
    return entry
  }

  see (entry: Entry, snapshot: TaskSnapshot | undefined): void {
    const problem = entry.problemOf(snapshot)
    if (problem !== undefined) this.report(problem, entry)
    if (isFinal(snapshot)) entry.isEnded = true
  }

  /** One that comes first was in the store already when the task before this one was chosen. */
  #checkPriority (entry: Entry): void {
    const since = this.#chosenSince
    const isFirst = ({ starts, plan: { delay } }: Entry): boolean => starts === 0 && delay === undefined
    if (since === undefined || !isFirst(entry)) return
    const { priority = 0 } = entry.plan
    const passed = [...this.entries.values()].find((other) => other !== entry && isFirst(other) && !other.isCancelled && !other.isLost &&
      other.storedAt <= since && (other.plan.priority ?? 0) < priority)
    if (passed !== undefined) this.report(`of priority ${priority} starts before one of priority ${passed.plan.priority ?? 0}`, entry)
  }
}
