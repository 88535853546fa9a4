import type { FastifyBaseLogger } from 'fastify'
import { nextTurn } from '../base/real-timers.js'
import { errors } from '../errors.js'
import { within } from '../base/within.js'
import type { Store } from '../stored/store.js'
import type { BackgroundTask } from '../task/task.js'
import type { TaskQueue } from '../request/task-queue.js'
import { Unfinished } from './unfinished.js'

/** How long aborted tasks may take to end. */
const GRACE_MS = 1000

/**
 * Makes a function that waits for all tasks, and after `closeTimeoutMs`, counted from its first call, stops them. Its last
 * call lets no more tasks in.
 */
export function createDrain (store: Store, closeTimeoutMs: number, log: FastifyBaseLogger): (isLast: boolean) => Promise<void> {
  const { executor } = store
  const { census } = executor
  let deadline: number | undefined
  const unfinished = new Unfinished()

  /** Whether all tasks have ended in time, those included that are added by what waits for `idle`. */
  async function endsBy (deadline: number): Promise<boolean> {
    let leftMs: number
    do {
      leftMs = Math.max(0, deadline - performance.now())
      if (!await census.whenEmpty(leftMs)) return false
      await nextTurn()
      if (census.isEmpty) return true
    } while (leftMs > 0)
    return false
  }

  async function stopAll (): Promise<void> {
    census.tasks().filter(({ state }) => state === 'waiting').forEach(leave)
    for (const task of census.tasks()) task.abort(closing(task))
    // What is left may be an `onError` that nothing can stop.
    if (census.unfinished > 0) await census.whenEmpty(GRACE_MS)
    for (const task of census.reporting) unfinished.addReport(task)
    census.tasks().forEach(leave)
  }

  /** Has a task count for nothing any more. */
  function leave (task: BackgroundTask): void {
    // The end of one may end another.
    if (task.finished) return
    const final = task.startedAt >= 0 ? 'failed' : 'cancelled'
    unfinished.add(task, task.state === 'waiting' ? final : task.state)
    const queue = task.owner as TaskQueue
    if (final === 'failed') executor.giveUp(task, queue, closing(task))
    else executor.stop(task, queue, final, closing(task))
  }

  function closing (task: BackgroundTask): Error {
    return new errors.FST_BGT_CLOSING(task.name, closeTimeoutMs)
  }

  return async function drain (isLast) {
    deadline ??= performance.now() + closeTimeoutMs
    await executor.stopRetrying()
    // Whatever it still hands out is left below.
    await within(Math.max(0, deadline - performance.now()), () => store.pause()).catch(() => {})
    // Those that come meanwhile too.
    store.onForLater = leave
    census.tasks().filter((task) => store.isForLater(task)).forEach(leave)

    if (!await endsBy(deadline)) await stopAll()
    if (isLast) {
      // No other code can have run since the last look, except that of an `onError` of tasks that were stopped.
      executor.admission.closed = true
      census.tasks().forEach(leave)
    }
    unfinished.log(log)
  }
}
