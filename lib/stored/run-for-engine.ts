import type { EngineHost, RunOutcome, StoredTask } from '../../types/index.js'
import type { Definition } from '../named/define-task.js'
import { errors } from '../errors.js'
import { errorSnapshot } from '../base/snapshot.js'
import type { Store } from './store.js'
import { BackgroundTask } from '../task/task.js'
import type { TaskQueue } from '../request/task-queue.js'
import { withTrace } from './trace-context.js'

/** How long a task waits that no worker knows yet. */
const UNKNOWN_DELAY_MS = 5000

/**
 * Makes the function that runs one attempt of a stored task for an engine: as the Task that `add` returned where this
 * process has it, else as a task of its own in the list that `listFor` gives.
 */
export function createRunner (store: Store, listFor: (stored: StoredTask) => TaskQueue): EngineHost['run'] {
  const { executor } = store

  /** A store that others share may hand a task out before the one who added it knows that it is stored. */
  function findReceipt ({ id }: StoredTask): BackgroundTask | undefined {
    return store.engine.findLocal === undefined ? undefined : executor.history.find(id)
  }

  function toTask (stored: StoredTask, definition: Definition): BackgroundTask {
    const receipt = findReceipt(stored)
    if (receipt !== undefined) return receipt
    const queue = listFor(stored)
    const retryIf = stored.retry?.conditional === true ? store.retryIfOf(definition) : undefined
    const options = {
      when: 'always',
      timeout: stored.timeout,
      retry: stored.retry && { ...stored.retry, retryIf },
      hasResult: definition.hasResult,
      startsLate: definition.startsLate
    } as const
    const task = withTrace(stored.trace, () => new BackgroundTask(queue, stored.name, definition.run, [], options))
    task.store(stored)
    executor.census.enter(task, queue)
    return task
  }

  return async function run (stored, { attempt, signal, progress }) {
    const definition = store.definition(stored.name)
    if (definition === undefined) {
      const err = new errors.FST_BGT_INVALID_TASK('a stored task must be registered with the process that runs it', stored.name)
      listFor(stored).log.error({ err, task: stored.name, taskId: stored.id, attempt }, 'background task failed')
      // Another process, or the next version of this one, may know the name.
      return { state: 'interrupted', delay: UNKNOWN_DELAY_MS }
    }
    if (store.engine.findLocal !== undefined && findReceipt(stored) === undefined) {
      // It has ended here: the app closes, or was told that it could not be stored.
      return { state: 'cancelled', error: errorSnapshot(new errors.FST_BGT_CANCELLED(stored.name, { cause: undefined })) }
    }
    const task = toTask(stored, definition)
    const queue = task.owner as TaskQueue
    const isReceipt = findReceipt(stored) === task
    if (!isReceipt) task.attempt = attempt
    try {
      // A copy for each attempt: what one has changed must not reach the next.
      task.args = [definition.parse(stored.payload), task]
    } catch (error) {
      executor.fail(task, queue, error)
      return toOutcome(task, undefined)
    }
    const outcome = new Promise<RunOutcome>((resolve) => {
      task.setRun({
        survives: !isReceipt,
        progress,
        end (delay) {
          task.setRun(undefined)
          if (delay !== undefined && !isReceipt) executor.census.handOver(task, queue)
          resolve(toOutcome(task, delay))
        }
      })
    })
    signal.addEventListener('abort', () => { task.cancel(reasonOf(signal)) }, { once: true })
    executor.pushDue(task)
    if (task.state === 'delayed') {
      const run = task.extras?.run
      // Behind the turn in which it starts, unless functions hold all slots.
      setImmediate(() => { if (task.extras?.run === run) store.due(stored.id) })
    }
    return outcome
  }
}

/** The reason that was given: without one an AbortController makes one up. */
function reasonOf ({ reason }: AbortSignal): unknown {
  return reason instanceof DOMException && reason.name === 'AbortError' ? undefined : reason
}

function toOutcome (task: BackgroundTask, delay: number | undefined): RunOutcome {
  const error = errorSnapshot(task.error ?? task.outcome)
  if (delay !== undefined) return { state: 'delayed', error, delay }
  if (isCutOff(task)) return { state: 'interrupted' }
  if (task.state === 'completed') return { state: 'completed', ...(task.options.hasResult === true && { result: task.outcome }) }
  return { state: task.state === 'cancelled' ? 'cancelled' : 'failed', error }
}

/** Whether the shutdown deadline ended the task, before it started or with the abort that its function obeyed. */
function isCutOff ({ state, outcome, extras }: BackgroundTask): boolean {
  const { FST_BGT_CLOSING } = errors
  return state !== 'completed' && (outcome instanceof FST_BGT_CLOSING || extras?.abortReason instanceof FST_BGT_CLOSING)
}
