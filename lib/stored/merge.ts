import type { Census } from '../task/census.js'
import type { History } from '../task/history.js'
import type { BackgroundTask } from '../task/task.js'
import type { RegisteredTask } from './registered-task.js'

/** Makes a task the receipt of the target, which has its key and runs in its place. The receipt shows the state of the target. */
export function mergeInto (target: BackgroundTask, receipt: RegisteredTask, { census, history }: { census: Census, history: History }): void {
  const { id } = receipt.stored
  census.handOver(receipt)
  history.merge(id, target)
  receipt.follow(target)
  const show = (): void => {
    const { state, attempt } = target
    Object.assign(receipt, { state, attempt, outcome: target.error ?? target.outcome })
    census.watchers.notify(id)
    if (!target.finished) return
    unwatch()
    history.finish(target, id)
  }
  const unwatch = census.watchers.add(target.id, show)
  show()
}
