import type { TaskErrorSnapshot } from '../../types/index.js'
import { errorSnapshot } from '../base/snapshot.js'
import { RegisteredTask } from '../stored/registered-task.js'
import type { BackgroundTask } from '../task/task.js'
import type { TaskKind } from './view.js'

export function kindOf (task: BackgroundTask): TaskKind {
  if (task instanceof RegisteredTask) return task.options.startsLate === true ? 'file' : 'registered'
  return task.isFollowed ? 'promise' : 'function'
}

/** Whether the task goes on in another process, or another task goes on in its place. */
export function isAway (task: BackgroundTask): boolean {
  return task instanceof RegisteredTask && (task.place === 'elsewhere' || task.place === 'merged')
}

/** The id of a task, if it was read. This does not count as reading it. */
export function knownId (task: BackgroundTask): string | undefined {
  return task.extras?.id
}

/** The error of a task, or that of its last attempt while it is delayed. */
export function errorOf (task: BackgroundTask): TaskErrorSnapshot | undefined {
  const { state } = task
  if (state === 'failed' || state === 'cancelled') return errorSnapshot(task.error)
  return state === 'delayed' && task.hasStarted ? errorSnapshot(task.outcome) : undefined
}
