import { HeldTasks } from './held-tasks.js'
import { ReadyQueue } from './ready-queue.js'
import { Turns } from './turns.js'
import type { TurnBudget } from '../base/turn-budget.js'
import type { BackgroundTask, Owner } from '../task/task.js'

/** Has tasks start: lists in turn, within the budget of each turn of the event loop, as long as there is a free slot. */
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
      // Nobody overtakes a task that is held.
      canStart: () => !ready.empty && hasFreeSlot() && !held.has(ready.first),
      isHolding: () => !held.empty,
      startNext () {
        const task = ready.take()
        if (task !== undefined) {
          start(task)
          ready.pushList(task.owner)
        }
        // A task that has ended has read the clock.
        if (task?.finished !== true) budget.readClock()
      }
    })
  }

  /** Takes a list into the ready queue if one of its tasks can start, and sees to it that tasks start soon. */
  wake (list: Owner): void {
    this.#ready.pushList(list)
    this.#turns.schedule()
  }

  /** A task was added to a list whose tasks may start: has it start when its turn comes, one of the app in the next turn. */
  begin (task: BackgroundTask): void {
    if (!task.owner.isShared) return this.wake(task.owner)
    this.#ready.pushTask(task)
    this.#held.add(task)
    this.#turns.schedule()
  }

  /** A task may start whatever the order of its list: its turn came before, or elsewhere. */
  pushReady (task: BackgroundTask): void {
    task.owner.pushReady(task)
    this.#ready.pushTask(task)
    this.#turns.schedule()
  }

  /** A slot is free again: the next task may start in this turn. */
  goOn (list: Owner): void {
    this.#ready.pushList(list)
    this.#turns.goOn()
  }

  /** A task was ended from outside. */
  noteEnd (task: BackgroundTask): void {
    this.#ready.noteEnd(task)
    this.wake(task.owner)
  }
}
