import type { TaskSnapshot, TaskState } from '../../types/index.js'
import { nowMs } from '../base/clock.js'
import { errorSnapshot } from '../base/snapshot.js'
import type { ResolvedTaskOptions } from '../options/task-options.js'

/** The fields of a task that a snapshot shows. Times are milliseconds on the monotonic clock, or -1 before the event. */
interface ShownTask {
  readonly name: string
  readonly state: TaskState
  readonly attempt: number
  readonly createdAt: number
  readonly startedAt: number
  readonly finishedAt: number
  readonly outcome: unknown
  readonly error: unknown
  readonly options: ResolvedTaskOptions
}

/** The snapshot of a task without its id. The offset between the clocks is kept in `extras`. */
export function taskSnapshot (task: ShownTask, extras: { progress?: unknown, epochMs?: number }): Omit<TaskSnapshot, 'id'> {
  const { name, state, attempt, createdAt, startedAt, finishedAt } = task
  const epochMs = (extras.epochMs ??= Date.now() - nowMs())
  const iso = (ms: number): string => new Date(epochMs + ms).toISOString()
  return {
    name,
    state,
    attempt,
    ...(extras.progress !== undefined && { progress: extras.progress }),
    createdAt: iso(createdAt),
    ...(startedAt >= 0 && { startedAt: iso(startedAt) }),
    ...(finishedAt >= 0 && { finishedAt: iso(finishedAt) }),
    ...((state === 'failed' || state === 'cancelled') && { error: errorSnapshot(task.error) }),
    ...(state === 'completed' && task.options.hasResult === true && { result: task.outcome })
  }
}
