import { HeldTasks } from './held-tasks.js'
import { ReadyQueue } from './ready-queue.js'
import { Turns } from './turns.js'
import type { TurnBudget } from '../base/turn-budget.js'
import type { BackgroundTask, Owner } from '../task/task.js'

/** Starts tasks while a slot is free, within the budget of each turn of the event loop. The lists take turns. */
export class Starter {
  readonly #ready = new ReadyQueue()
  readonly #held: HeldTasks
  readonly #turns: Turns

  /** `start`: called with each task whose turn has come. */
  constructor (budget: TurnBudget, hasFreeSlot: () => boolean, start: (task: BackgroundTask) => void) {
    const ready = this.#ready
    const held = this.#held = new HeldTasks(() => {
      budget.readClock()
      this.#turns.goOn()
    })
    this.#turns = new Turns(budget, {
      // No task overtakes a held one.
      canStart: () => !ready.empty && hasFreeSlot() && !held.has(ready.first),
      isHolding: () => !held.empty,
      startNext () {
        const task = ready.take()
        if (task !== undefined) {
          start(task)
          ready.pushList(task.owner)
        }
        // The end of a task has read the clock.
        if (task?.finished !== true) budget.readClock()
      }
    })
  }

  /** Puts a list into the ready queue if one of its tasks may start, and schedules a turn. */
  wake (list: Owner): void {
    this.#ready.pushList(list)
    this.#turns.schedule()
  }

  /** Starts a new task when its turn comes. A task of the app waits at least for the next turn of the event loop. */
  begin (task: BackgroundTask): void {
    if (!task.owner.isShared) return this.wake(task.owner)
    this.#ready.pushTask(task)
    this.#held.add(task)
    this.#turns.schedule()
  }

  /** Starts a task whatever the order of its list: its backoff is over, or an engine runs it. */
  pushReady (task: BackgroundTask): void {
    task.owner.pushReady(task)
    this.#ready.pushTask(task)
    this.#turns.schedule()
  }

  /** Uses a freed slot: the next task may start in this turn of the event loop. */
  goOn (list: Owner): void {
    this.#ready.pushList(list)
    this.#turns.goOn()
  }

  /** Notes that a task was stopped, and starts the next task of its list. */
  noteEnd (task: BackgroundTask): void {
    this.#ready.noteEnd(task)
    this.wake(task.owner)
  }
}
