import type { Engine, TaskSnapshot } from '../../types/index.js'
import type { Executor } from '../run/executor.js'
import { nowMs } from '../base/clock.js'
import { Cancelled } from '../task/cancelled.js'
import type { BackgroundTask } from '../task/task.js'
import type { TaskQueue } from '../request/task-queue.js'

/** A cancellation of a task that an engine is storing. Another process may run the task: only the engine knows the effect. */
export class LateCancel {
  readonly reason: unknown
  /** Whether the task was cancelled. */
  readonly effect: Promise<boolean>
  settle!: (effect: boolean | Promise<boolean>) => void

  constructor (reason: unknown) {
    this.reason = reason instanceof Cancelled ? reason.reason : reason
    this.effect = new Promise((resolve) => { this.settle = resolve })
    // Nobody need wait for it.
    this.effect.catch(() => {})
  }
}

/** Asks the engine, for no longer than storing may take. */
interface Asker {
  readonly executor: Executor
  ask<Value> (question: (engine: Engine) => Promise<Value>): Promise<Value>
}

/** Cancels a task that is stored by now, and has the task that `add` returned show what the store shows. */
export async function cancelStored (store: Asker, task: BackgroundTask, reason: unknown): Promise<boolean> {
  const id = task.extras!.id!
  const queue = task.owner as TaskQueue
  let ended: TaskSnapshot | undefined
  try {
    if (await store.ask((engine) => engine.cancel(id, reason))) {
      // The app may have closed meanwhile, which ends it too.
      if (!task.finished) store.executor.cancel(task, queue, reason)
      return true
    }
    ended = await store.ask((engine) => engine.get(id))
    return false
  } finally {
    if (!task.finished) {
      store.executor.census.handOver(task, queue)
      if (ended !== undefined) show(task, ended)
    }
  }
}

function show (task: BackgroundTask, { state, attempt, result, error }: TaskSnapshot): void {
  const outcome = error === undefined ? result : Object.assign(new Error(error.message), error)
  Object.assign(task, { state, attempt, outcome, finishedAt: nowMs() })
}
