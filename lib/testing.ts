import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { AppTasks } from './app/app-tasks.js'
import { describe, errors } from './errors.js'
import type { Services } from './stored/services.js'
import type { BackgroundTask } from './task/task.js'

export { type ConformanceCase, type ConformanceOptions, engineConformance } from './engines/conformance/engine-conformance.js'

/** A task that was added while tasks were captured. */
export interface CapturedTask {
  name: string
  /** What the function was to be called with; of a named task its payload alone. */
  args: unknown[]
  /** The options given to `add`. */
  options: object
  /** The request whose list it was added to; undefined for `app.backgroundTasks.add`. */
  request: FastifyRequest | undefined
}

/** Tasks kept from running. */
export interface TaskCapture {
  /** The tasks added and not run yet, in the order added. */
  readonly tasks: CapturedTask[]
  /**
   * Runs the tasks one after the other, and those that they add, and empties the list. Retries do not wait for their delay.
   * @throws AggregateError of the errors of all tasks that failed
   */
  run (): Promise<void>
  /** Forgets the tasks. */
  clear (): void
  /** Tasks added from now on run as usual. Those captured stay, and can still be run. */
  restore (): void
}

/**
 * Keeps all tasks added from now on from running, so that a test can look at them first. They count neither in `size`
 * nor for `idle` and `close`. Promises given to `waitUntil` are already under way and not captured.
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
      // Tasks may have been captured once more since.
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

/** Puts the task into its list. */
function enter (task: BackgroundTask): void {
  task.ownExtras().holder = undefined
  task.owner.push(task)
}

function cancel (task: BackgroundTask, reason: unknown): boolean {
  enter(task)
  return task.cancel(reason)
}

/** A test does not wait from one attempt to the next. */
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
