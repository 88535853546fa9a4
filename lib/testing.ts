import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AppTasks } from './app/app-tasks.js'
import { describe, errors } from './errors.js'
import type { Services } from './stored/services.js'
import type { BackgroundTask } from './task/task.js'

export { type ConformanceCase, type ConformanceOptions, engineConformance } from './engines/conformance/engine-conformance.js'

/** A task that was captured when it was added. */
export interface CapturedTask {
  name: string
  /** The arguments for the function. Of a named task, its payload alone. */
  args: unknown[]
  /** The options given to `add`. */
  options: object
  /** The request that the task was added to. Undefined for `app.backgroundTasks.add`. */
  request: FastifyRequest | undefined
}

/** The captured tasks, and methods that run or drop them. */
export interface TaskCapture {
  /** The captured tasks that have not run, in the order added. */
  readonly tasks: CapturedTask[]
  /**
   * Runs the captured tasks one after another, with the tasks that they add, and empties the list. Retries have no delay.
   * @throws AggregateError of the errors of all tasks that failed
   */
  run (): Promise<void>
  /** Drops the captured tasks. */
  clear (): void
  /** Ends the capture: tasks added later run as usual. Captured tasks stay, and `run` still runs them. */
  restore (): void
}

/**
 * Captures all tasks that are added later: they do not run, and a test can look at them. Captured tasks do not count in `size`,
 * and `idle` and `close` do not wait for them. Promises given to `waitUntil` are not captured.
 * @throws FST_BGT_INVALID_OPTIONS when the app does not have the plugin, or has not loaded it yet
 */
export function captureTasks (app: FastifyInstance): TaskCapture {
  const { services } = appTasksOf(app)
  const { admission } = services
  const tasks: CapturedTask[] = []
  const inside = new WeakMap<CapturedTask, BackgroundTask>()

  const capture: typeof admission.capture = (task, args, options, request) => {
    const captured = { name: task.name, args, options, request }
    task.ownExtras().holder = {
      cancel (reason) {
        const at = tasks.indexOf(captured)
        if (at >= 0) tasks.splice(at, 1)
        return cancel(task, reason)
      }
    }
    inside.set(captured, task)
    tasks.push(captured)
  }

  admission.capture = capture

  const clearEarlier = admission.clearCaptured
  admission.clearCaptured = (owner) => {
    const cleared = tasks.filter((captured) => inside.get(captured)!.owner === owner)
    const left = tasks.filter((captured) => inside.get(captured)!.owner !== owner)
    tasks.length = 0
    for (const captured of left) tasks.push(captured)
    for (const captured of cleared) cancel(inside.get(captured)!, 'cleared')
    return clearEarlier(owner) + cleared.length
  }

  return {
    tasks,
    async run () {
      const failures: unknown[] = []
      for (let captured = tasks.shift(); captured !== undefined; captured = tasks.shift()) {
        const task = inside.get(captured) as BackgroundTask
        await runToEnd(services, task)
        if (task.state === 'failed') failures.push(task.error)
      }
      if (failures.length > 0) throw new AggregateError(failures, `${failures.length} captured background tasks failed`)
    },
    clear () {
      tasks.length = 0
    },
    restore () {
      // A later call of `captureTasks` may have replaced this capture.
      if (admission.capture === capture) admission.capture = undefined
    }
  }
}

function appTasksOf (app: FastifyInstance | undefined): AppTasks {
  const tasks = app?.backgroundTasks as AppTasks | undefined
  if (tasks?.services !== undefined) return tasks
  throw new errors.FST_BGT_INVALID_OPTIONS(
    `captureTasks must be given an app with the plugin registered and loaded, received ${describe(app)}`)
}

/** Puts a captured task into its list. */
function enter (task: BackgroundTask): void {
  task.ownExtras().holder = undefined
  task.owner.push(task)
}

function cancel (task: BackgroundTask, reason: unknown): boolean {
  enter(task)
  return task.cancel(reason)
}

/** Takes away the delay of retries, for which a test should not wait. */
function retryAtOnce (task: BackgroundTask): void {
  const { retry } = task.options
  if (retry !== undefined) Object.assign(task, { options: { ...task.options, retry: { ...retry, delay: 0 } } })
}

function runToEnd ({ census, executor }: Services, task: BackgroundTask): Promise<void> {
  return new Promise((resolve) => {
    const unwatch = census.watchers.add(task.id, () => {
      if (!task.finished) return
      unwatch()
      resolve()
    })
    retryAtOnce(task)
    enter(task)
    executor.begin(task)
  })
}
