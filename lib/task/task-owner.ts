import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { Link } from '../base/linked-list.js'
import type { ResponseEnd } from '../../types/index.js'

/** The list that a task is in: where it comes from, and which of the list's tasks may start next. */
export interface TaskOwner<OwnTask> extends Link<TaskOwner<OwnTask>>, Iterable<OwnTask> {
  readonly log: FastifyBaseLogger
  readonly reqId: string | undefined
  readonly server: FastifyInstance
  readonly response: ResponseEnd | undefined
  /** Kept once the response is over only while somebody listens on the channels. */
  readonly request: FastifyRequest | undefined
  /** How many of its tasks are unfinished. */
  readonly size: number
  /** Whether the tasks do not belong together: each counts as a request of its own. */
  readonly isShared: boolean
  /** Whether `take` may give a task. */
  readonly runnable: boolean
  /** Whether the list has a place in the ready queue. */
  isReady: boolean
  /** Tasks that have started and not ended; a backoff keeps its place. */
  running: number
  /** Appends a task, which begins. */
  push (task: OwnTask): void
  /** The next task that may start. */
  take (): OwnTask | undefined
  /** A task may be taken, whatever the order and before the list's tasks may start: its turn came before, or elsewhere. */
  pushReady (task: OwnTask): void
  /** Forgets a task that has ended. `taken`: it gives its place in the order back. */
  remove (task: OwnTask, taken: boolean): void
  /** The task's id has been read, so it can be asked for from now on. */
  track (task: OwnTask, id: string): void
  cancel (task: OwnTask, reason: unknown): boolean
  /** Something that a snapshot shows has changed. */
  changed (task: OwnTask): void
}
