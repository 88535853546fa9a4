import type { Executor } from '../run/executor.js'
import type { BackgroundTask } from '../task/task.js'
import type { TaskQueue } from '../request/task-queue.js'

/** Makes a task the receipt of another one, which runs in its stead: it shows what becomes of that one to its end. */
export function mergeInto (target: BackgroundTask, receipt: BackgroundTask, { census, history }: Executor): void {
  const { id } = receipt
  census.handOver(receipt, receipt.owner as TaskQueue)
  history.merge(id, target)
  const cancelGone = (reason: unknown): boolean => target.cancel(reason)
  Object.assign(receipt.extras!, { id: target.id, mergedInto: target, cancelGone })
  const follow = (): void => {
    const { state, attempt } = target
    Object.assign(receipt, { state, attempt, outcome: target.error ?? target.outcome })
    census.watchers.notify(id)
    if (!target.finished) return
    unwatch()
    history.finish(target, id)
  }
  const unwatch = census.watchers.add(target.id, follow)
  follow()
}
