import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { Link } from '../base/linked-list.js'
import type { ResponseEnd } from '../../types/index.js'

/** The list that a task is in. The list knows the request of its tasks, and which task may start next. */
export interface TaskOwner<OwnTask> extends Link<TaskOwner<OwnTask>>, Iterable<OwnTask> {
  readonly log: FastifyBaseLogger
  readonly reqId: string | undefined
  readonly server: FastifyInstance
  readonly response: ResponseEnd | undefined
  /** After the end of the response, the request is kept only while a channel has subscribers. */
  readonly request: FastifyRequest | undefined
  /** What the observer of the tasks keeps with the list. */
  note: unknown
  /** The number of unfinished tasks. */
  readonly size: number
  /** Whether the list is that of the app. In the ready queue, each of its tasks counts as a request of its own. */
  readonly isShared: boolean
  /** Whether a task may start. */
  readonly runnable: boolean
  /** Whether the list has a place in the ready queue. */
  isReady: boolean
  /** The number of tasks that have started and not ended. A task keeps its place during a backoff. */
  running: number
  /** Appends a new task. */
  push (task: OwnTask): void
  /** Takes the next task that may start. */
  take (): OwnTask | undefined
  /** Has `take` give this task first: its backoff is over, or an engine runs it. The response need not be over. */
  pushReady (task: OwnTask): void
  /** Forgets a task that has ended. `taken`: whether the task had a place in the order. */
  remove (task: OwnTask, taken: boolean): void
  /** Has the task be found by its id, which was read for the first time. */
  track (task: OwnTask, id: string): void
  cancel (task: OwnTask, reason: unknown): boolean
  /** Tells the watchers of a task that its progress has changed. */
  progressed (task: OwnTask): void
}
