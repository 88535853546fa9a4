import type { Engine, TaskSnapshot } from '../../types/index.js'
import type { Executor } from '../run/executor.js'
import { Cancelled } from '../task/cancelled.js'
import type { Census } from '../task/census.js'
import { nowMs } from '../base/clock.js'
import type { History } from '../task/history.js'
import type { RegisteredTask } from './registered-task.js'
import { GONE } from '../task/task-extras.js'
import type { BackgroundTask } from '../task/task.js'

/** A cancellation of a task that an engine is storing. Only the engine knows its effect: another process may run the task. */
class LateCancel {
  readonly reason: unknown
  /** Whether the task was cancelled. */
  readonly effect: Promise<boolean>
  settle!: (effect: boolean | Promise<boolean>) => void

  constructor (reason: unknown) {
    this.reason = reason instanceof Cancelled ? reason.reason : reason
    this.effect = new Promise((resolve) => { this.settle = resolve })
  }
}

interface LateCancelServices {
  readonly executor: Executor
  readonly census: Census
  readonly history: History
}

/** Asks the engine, for no longer than `storeTimeout`. */
interface Asker {
  ask<Value> (question: (engine: Engine) => Promise<Value>): Promise<Value>
}

/** The late cancellations whose effect is not known yet. */
export class LateCancels {
  readonly #asker: Asker
  readonly #services: LateCancelServices
  readonly #cancels = new Map<BackgroundTask, LateCancel>()

  constructor (asker: Asker, services: LateCancelServices) {
    this.#asker = asker
    this.#services = services
  }

  add (task: RegisteredTask, reason: unknown): void {
    if (this.#cancels.has(task)) return
    const late = new LateCancel(reason)
    this.#cancels.set(task, late)
    const forget = (): void => { this.#cancels.delete(task) }
    late.effect.then(forget, forget)
  }

  of (task: BackgroundTask): LateCancel | undefined {
    return this.#cancels.size === 0 ? undefined : this.#cancels.get(task)
  }

  /** The effect of the late cancellation of a task, or undefined when there is no late cancellation. */
  effectOf (task: BackgroundTask): Promise<boolean> | undefined {
    return this.of(task)?.effect
  }

  /** Cancels a task that was stored meanwhile. The task that `add` returned then shows what the store shows. */
  async carryOut (task: RegisteredTask, reason: unknown): Promise<boolean> {
    const { executor, census, history } = this.#services
    const { id } = task
    let ended: TaskSnapshot | undefined
    // A second cancellation changes nothing.
    task.ownExtras().holder = { cancel: () => true }
    try {
      if (await this.#asker.ask((engine) => engine.cancel(id, reason))) {
        // Close may have ended the task meanwhile.
        if (!task.finished) {
          executor.cancel(task, reason)
          census.storedEnds.cancelled++
        }
        // From now on the store knows better: another process may run the task again.
        history.drop(id)
        return true
      }
      ended = await this.#asker.ask((engine) => engine.get(id))
      return false
    } finally {
      if (!task.finished) {
        task.ownExtras().holder = GONE
        census.handOver(task)
        if (ended !== undefined) show(task, ended)
      }
    }
  }
}

function show (task: RegisteredTask, { state, attempt, result, error }: TaskSnapshot): void {
  const outcome = error === undefined ? result : Object.assign(new Error(error.message), error)
  Object.assign(task, { state, attempt, outcome, finishedAt: nowMs() })
}
