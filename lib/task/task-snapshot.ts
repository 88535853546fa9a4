import type { TaskSnapshot, TaskState } from '../../types/index.js'
import { nowMs } from '../base/clock.js'
import { errorSnapshot } from '../base/snapshot.js'
import type { ResolvedTaskOptions } from '../options/task-options.js'

/** What a snapshot shows of a task. The times are milliseconds on the monotonic clock, -1 of what has not happened. */
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

/** The snapshot of a task without its id. `extras`: what the task has of them, where the offset of its clock is kept. */
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
