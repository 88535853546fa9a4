import type { EngineHost, RunOutcome, StoredTask } from '../../types/index.js'
import type { Definition } from '../named/define-task.js'
import { errors } from '../errors.js'
import { Quiet } from '../base/quiet.js'
import { setImmediate } from '../base/real-timers.js'
import { errorSnapshot } from '../base/snapshot.js'
import { tryTo } from '../run/report.js'
import { Refusals } from './refusals.js'
import type { Store } from './store.js'
import { BackgroundTask } from '../task/task.js'
import type { TaskQueue } from '../request/task-queue.js'
import { withTrace } from './trace-context.js'

/** How long a task waits that no worker knows yet. */
const UNKNOWN_DELAY_MS = 5000

const UNKNOWN_NAME = 'no task of this name is registered in this worker'
const REFUSED_PAYLOAD = 'background task left to other workers: the schema of this one refuses its payload'

/**
 * Makes the function that runs one attempt of a stored task for an engine: as the Task that `add` returned where this
 * process has it, else as a task of its own in the list that `listFor` gives.
 */
export function createRunner (store: Store, listFor: (stored: StoredTask) => TaskQueue): EngineHost['run'] {
  const { executor } = store
  const refusals = new Refusals()
  const quiet = new Quiet()

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

  /** Gives a task back, for another process, or the next version of this one, to run. */
  function leave (stored: StoredTask, message: string, delay: number, attempt: number, err?: unknown): RunOutcome {
    const { id: taskId, name: task } = stored
    if (quiet.maySay(JSON.stringify([message, task]))) {
      tryTo(() => { listFor(stored).log.warn({ ...(err !== undefined && { err }), task, taskId, attempt, delay }, message) })
    }
    return { state: 'interrupted', delay }
  }

  return async function run (stored, { attempt, signal, progress, failed }) {
    const definition = store.definition(stored.name)
    if (definition === undefined) return leave(stored, UNKNOWN_NAME, UNKNOWN_DELAY_MS, attempt)
    if (store.engine.findLocal !== undefined && findReceipt(stored) === undefined) {
      // It has ended here: the app closes, or was told that it could not be stored.
      return { state: 'cancelled', error: errorSnapshot(new errors.FST_BGT_CANCELLED(stored.name, { cause: undefined })) }
    }
    const payload = parse(definition, stored)
    if (payload.error !== undefined && store.engine.findLocal === undefined) {
      const delay = refusals.next(stored, attempt)
      if (delay !== undefined) return leave(stored, REFUSED_PAYLOAD, delay, attempt, payload.error)
    }
    const task = toTask(stored, definition)
    const queue = task.owner as TaskQueue
    const isReceipt = findReceipt(stored) === task
    if (!isReceipt) task.attempt = attempt
    if (payload.error !== undefined) {
      executor.fail(task, queue, payload.error)
      return toOutcome(task, undefined)
    }
    task.args = [payload.value, task]
    const outcome = new Promise<RunOutcome>((resolve) => {
      task.setRun({
        survives: !isReceipt,
        progress,
        end (delay) {
          task.setRun(undefined)
          if (task.state !== 'completed') failed?.(task.error ?? task.outcome)
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

/** A copy for each attempt: what one has changed must not reach the next. */
function parse (definition: Definition, { payload }: StoredTask): { value?: unknown, error?: unknown } {
  try {
    return { value: definition.parse(payload) }
  } catch (error) {
    return { error }
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
