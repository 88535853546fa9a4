import type { EngineHost, RunControl, RunOutcome, StoredTask } from '../../types/index.js'
import type { Definition } from '../named/definition.js'
import { errors } from '../errors.js'
import { Quiet } from '../base/quiet.js'
import { setImmediate } from '../base/real-timers.js'
import { errorSnapshot } from '../base/snapshot.js'
import { tryTo } from '../run/report.js'
import { Refusals } from './refusals.js'
import { RegisteredTask } from './registered-task.js'
import type { Services } from './services.js'
import { storedOptions } from './stored-options.js'
import type { EndState } from '../task/census.js'
import type { Owner } from '../task/task.js'
import { withTrace } from './trace-context.js'

/** How long a task of an unknown name waits before a worker gets it again. */
const UNKNOWN_DELAY_MS = 5000

const UNKNOWN_NAME = 'no task of this name is registered in this worker'
const REFUSED_PAYLOAD = 'background task left to other workers: the schema of this worker refuses its payload'

/**
 * Makes the function that runs one attempt of a stored task for an engine. A local engine runs the Task that `add` returned.
 * For a shared store, the task is a guest in the list of `listFor`.
 */
export function createRunner (services: Services, listFor: (stored: StoredTask) => Owner): EngineHost['run'] {
  const { census, client, executor, history, registry } = services
  const refusals = new Refusals()
  const quiet = new Quiet()

  /** The task that `add` returned. Undefined for a shared store, which may hand a task out before its `add` has resolved. */
  function findReceipt ({ id }: StoredTask): RegisteredTask | undefined {
    const task = client.isLocal ? history.find(id) : undefined
    return task instanceof RegisteredTask ? task : undefined
  }

  function createGuest (stored: StoredTask, definition: Definition, attempt: number): RegisteredTask {
    const list = listFor(stored)
    const options = storedOptions(stored, definition, registry)
    const task = withTrace(stored.trace, () => new RegisteredTask(list, definition.run, [], options, stored))
    task.attempt = attempt
    list.push(task)
    return task
  }

  /** The end of a guest is counted here and in its store. */
  function noteEnd ({ place, state }: RegisteredTask): void {
    if (place === 'guest') census.storedEnds[state as EndState]++
  }

  /** Gives a task back to the engine, for another worker or for the next version of this one. */
  function leave (stored: StoredTask, message: string, delay: number, attempt: number, err?: unknown): RunOutcome {
    const { id: taskId, name: task } = stored
    if (quiet.maySay(JSON.stringify([message, task]))) {
      tryTo(() => { listFor(stored).log.warn({ ...(err !== undefined && { err }), task, taskId, attempt, delay }, message) })
    }
    return { state: 'interrupted', delay }
  }

  return async function run (stored, control) {
    const { attempt } = control
    const definition = registry.find(stored.name)
    if (definition === undefined) return leave(stored, UNKNOWN_NAME, UNKNOWN_DELAY_MS, attempt)
    const receipt = findReceipt(stored)
    if (client.isLocal && receipt === undefined) {
      // The task has ended in this process: the app closes, or storing the task took too long.
      return { state: 'cancelled', error: errorSnapshot(new errors.FST_BGT_CANCELLED(stored.name, { cause: undefined })) }
    }
    const payload = parse(definition, stored)
    if (payload.error !== undefined && receipt === undefined) {
      const delay = refusals.next(stored, attempt)
      if (delay !== undefined) return leave(stored, REFUSED_PAYLOAD, delay, attempt, payload.error)
    }
    const task = receipt ?? createGuest(stored, definition, attempt)
    if (payload.error !== undefined) {
      executor.fail(task, payload.error)
      noteEnd(task)
      return toOutcome(task, undefined)
    }
    task.args = [payload.value, task]
    const outcome = new Promise<RunOutcome>((resolve) => {
      task.run = {
        progress (value) { control.progress(value) },
        end (delay) {
          task.run = undefined
          if (task.state !== 'completed') control.failed?.(task.error ?? task.outcome)
          if (delay === undefined) noteEnd(task)
          else if (task !== receipt) {
            task.goElsewhere(stored.id)
            census.handOver(task)
          }
          resolve(toOutcome(task, delay))
        }
      }
    })
    // An engine may have been told to cancel the task while it took it.
    listen(control, (reason) => { task.cancel(reason) })
    if (!task.finished) executor.pushReady(task)
    if (task.state === 'delayed') {
      const { run } = task
      // The task starts before this immediate is called, unless functions have taken all slots.
      setImmediate(() => { if (task.run === run) client.due(stored.id) })
    }
    return outcome
  }
}

/** Copies the payload for each attempt: a change by one attempt must not reach the next. */
function parse (definition: Definition, { payload }: StoredTask): { value?: unknown, error?: unknown } {
  try {
    return { value: definition.parse(payload) }
  } catch (error) {
    return { error }
  }
}

/** Calls the listener when the engine cancels the task, or at once if it has. */
function listen (control: RunControl, listener: (reason: unknown) => void): void {
  if (control.onCancel !== undefined) return control.onCancel(listener)
  const { signal } = control
  const onAbort = (): void => { listener(reasonOf(signal)) }
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
}

/** The reason given to `cancel`. An AbortController that is given no reason makes a DOMException. */
function reasonOf ({ reason }: AbortSignal): unknown {
  return reason instanceof DOMException && reason.name === 'AbortError' ? undefined : reason
}

function toOutcome (task: RegisteredTask, delay: number | undefined): RunOutcome {
  const error = errorSnapshot(task.error ?? task.outcome)
  if (delay !== undefined) return { state: 'delayed', error, delay }
  if (isCutOff(task)) return { state: 'interrupted' }
  if (task.state === 'completed') return { state: 'completed', ...(task.options.hasResult === true && { result: task.outcome }) }
  return { state: task.state === 'cancelled' ? 'cancelled' : 'failed', error }
}

/** Whether the shutdown deadline has ended the task: before its start, or by an abort that its function obeyed. */
function isCutOff ({ state, outcome, extras }: RegisteredTask): boolean {
  const { FST_BGT_CLOSING } = errors
  return state !== 'completed' && (outcome instanceof FST_BGT_CLOSING || extras?.abortReason instanceof FST_BGT_CLOSING)
}
