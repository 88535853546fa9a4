import type { TaskSnapshot } from '../../types/index.js'
import type { AppTasks } from '../app/app-tasks.js'
import { isFinal } from '../base/snapshot.js'
import { FollowedTask } from './followed-task.js'

export const NOT_FOUND = { statusCode: 404, error: 'Not Found', message: 'there is no such task' }
export const HAS_ENDED = { statusCode: 409, error: 'Conflict', message: 'the task has already ended' }

/** Cancels a task for a client. Gives its snapshot, or the body of an error reply. */
export async function cancelForClient (
  tasks: AppTasks, id: string, reason: string
): Promise<TaskSnapshot | typeof NOT_FOUND | typeof HAS_ENDED> {
  const task = new FollowedTask(tasks, id)
  try {
    const snapshot = await task.get()
    if (snapshot === undefined) return NOT_FOUND
    if (isFinal(snapshot.state) || !await tasks.cancel(id, reason)) return HAS_ENDED
    return await task.get() ?? { ...snapshot, state: 'cancelled' }
  } finally {
    task.end()
  }
}
