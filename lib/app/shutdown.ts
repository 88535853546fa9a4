import type { FastifyBaseLogger } from 'fastify'
import type { TaskState } from '../../types/index.js'
import { errors } from '../errors.js'
import type { Executor } from '../run/executor.js'
import type { Store } from '../stored/store.js'
import type { BackgroundTask } from '../task/task.js'
import type { TaskQueue } from '../request/task-queue.js'

/** How long aborted tasks may take to end. */
const GRACE_MS = 1000

/** Makes a function that waits for all tasks, and after `closeTimeoutMs`, counted from its first call, stops them. */
export function createDrain (store: Store, closeTimeoutMs: number, log: FastifyBaseLogger): () => Promise<void> {
  const { executor } = store
  let deadline: number | undefined
  /** Tasks that were not waited for, or in vain. */
  const left: object[] = []

  function giveUp (task: BackgroundTask): void {
    left.push(describeTask(task, task.state === 'delayed' ? 'delayed' : 'cancelled'))
    stopAll(executor, closeTimeoutMs, [task])
  }

  return async function drain () {
    deadline ??= performance.now() + closeTimeoutMs
    await executor.stopRetrying()
    await store.pause()
    // Those that come meanwhile too.
    store.onForLater = giveUp
    executor.census.tasks().filter((task) => store.isForLater(task)).forEach(giveUp)

    if (!await executor.census.whenEmpty(Math.max(0, deadline - performance.now()))) {
      const cancelled = executor.census.tasks().filter((task) => task.state === 'waiting')
      stopAll(executor, closeTimeoutMs, cancelled)
      for (const task of executor.census.tasks()) task.abort(closing(task, closeTimeoutMs))
      // What is left may be an `onError` that nothing can stop.
      if (executor.census.unfinished > 0) await executor.census.whenEmpty(GRACE_MS)
      left.push(...[...cancelled, ...executor.census.tasks()].map((task) => describeTask(task)))
    }
    stopAll(executor, closeTimeoutMs, executor.census.tasks())
    if (left.length > 0) log.error({ tasks: left.splice(0) }, 'background tasks left unfinished')
  }
}

function stopAll (executor: Executor, closeTimeoutMs: number, tasks: BackgroundTask[]): void {
  for (const task of tasks) {
    // The end of one may end another.
    if (task.finished) continue
    const final = task.state === 'active' ? 'failed' : 'cancelled'
    executor.stop(task, task.owner as TaskQueue, final, closing(task, closeTimeoutMs))
  }
}

function closing (task: BackgroundTask, closeTimeoutMs: number): Error {
  return new errors.FST_BGT_CLOSING(task.name, closeTimeoutMs)
}

function describeTask (task: BackgroundTask, state: TaskState = task.state): object {
  return { name: task.name, id: task.id, reqId: task.owner.reqId, state }
}
