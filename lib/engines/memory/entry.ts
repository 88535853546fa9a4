import type { StoredSnapshot, StoredTask, TaskSnapshot } from '../../../types/index.js'
import type { Ranked } from '../../base/priority-queue.js'

/** A task in the memory engine. */
export class Entry implements Ranked {
  readonly task: StoredTask
  readonly priority: number
  /** Counts additions, and ends too. */
  number = 0
  at = -1
  arrival = 0
  /** The number of the attempt that runs, or of the next one. */
  attempts = 1
  /** The timer of the delay. */
  timer: NodeJS.Timeout | undefined = undefined
  /** When the delay is over, in milliseconds since 1970. */
  dueAt = 0
  /** The controller of the attempt that runs. */
  controller: AbortController | undefined = undefined
  /** Whether the task was cancelled in an attempt, so that no other attempt may follow. */
  isCancelled = false
  #snapshot: TaskSnapshot | undefined = undefined

  constructor (task: StoredTask) {
    this.task = task
    this.priority = task.priority ?? 0
  }

  /** The snapshot. Made on first read, because a batch of thousands is stored in one go. */
  get snapshot (): TaskSnapshot {
    const { id, name, createdAt } = this.task
    return (this.#snapshot ??= { id, name, state: 'waiting', attempt: 1, createdAt: new Date(createdAt).toISOString() })
  }

  /** Where the task comes from. */
  get origin (): Pick<StoredTask, 'reqId' | 'key'> {
    const { reqId, key } = this.task
    return { ...(reqId !== undefined && { reqId }), ...(key !== undefined && { key }) }
  }

  get listed (): StoredSnapshot {
    const { snapshot, dueAt, origin } = this
    return {
      ...snapshot,
      ...origin,
      ...(snapshot.state === 'delayed' && { nextRunAt: new Date(dueAt).toISOString() })
    }
  }
}
