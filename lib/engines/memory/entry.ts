import type { StoredTask, TaskSnapshot } from '../../../types/index.js'
import type { Ranked } from '../../base/priority-queue.js'

/** A task in the engine. */
export class Entry implements Ranked {
  readonly task: StoredTask
  readonly priority: number
  at = -1
  arrival = 0
  /** The attempts that count, with the next one. */
  attempts = 1
  /** Of the delay. */
  timer: NodeJS.Timeout | undefined = undefined
  /** Of the attempt that runs. */
  controller: AbortController | undefined = undefined
  /** Cancelled while it ran: not to run again. */
  isCancelled = false
  #snapshot: TaskSnapshot | undefined = undefined

  constructor (task: StoredTask) {
    this.task = task
    this.priority = task.priority ?? 0
  }

  /** Made when it is first asked for: a batch of thousands is stored in one go. */
  get snapshot (): TaskSnapshot {
    const { id, name, createdAt } = this.task
    return (this.#snapshot ??= { id, name, state: 'waiting', attempt: 1, createdAt: new Date(createdAt).toISOString() })
  }
}
