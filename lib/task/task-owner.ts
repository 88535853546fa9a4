import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { ResponseEnd } from '../../types/index.js'

/** The list that a task is in, as far as the task and what runs it are concerned. */
export interface TaskOwner<Task> {
  readonly log: FastifyBaseLogger
  readonly reqId: string | undefined
  readonly server: FastifyInstance
  readonly response: ResponseEnd | undefined
  /** Kept once the response is over only while somebody listens on the channels. */
  readonly request: FastifyRequest | undefined
  /** The task's id has been read, so it can be asked for from now on. */
  track (task: Task, id: string): void
  cancel (task: Task, reason: unknown): boolean
  /** Something that a snapshot shows has changed. */
  changed (task: Task): void
}
