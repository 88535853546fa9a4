import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'

/** Where a task stands. The last four are final. */
export type TaskState = 'waiting' | 'active' | 'delayed' | 'completed' | 'failed' | 'cancelled' | 'skipped'

/** How a response ended: handed over in full, or cut off (client gone, stream broken). */
export interface ResponseEnd {
  readonly outcome: 'sent' | 'aborted'
  readonly statusCode: number
}

/** An error as it leaves the process: never with a stack, each text cut to 4096 characters. */
export interface TaskErrorSnapshot {
  name: string
  code?: string
  message: string
}

/** What is known of a task, as plain JSON. Times are ISO 8601. */
export interface TaskSnapshot {
  id: string
  name: string
  state: TaskState
  attempt: number
  progress?: unknown
  createdAt: string
  startedAt?: string
  finishedAt?: string
  error?: TaskErrorSnapshot
  /** Only of a task that declares a result schema. */
  result?: unknown
}

/** One piece of background work: what `add` returns, and what the function receives. Not thenable. */
export interface Task<Result = unknown> {
  /** A random UUID, made on first read. The task can be looked up by it from then on. */
  readonly id: string
  readonly name: string
  readonly state: TaskState
  /** The attempt that runs, ran last, or will run first: 1 until a retry starts. */
  readonly attempt: number
  /** Aborts on timeout, cancel and the shutdown deadline, never when the client disconnects. Made on first read. */
  readonly signal: AbortSignal
  /**
   * Child of the logger that the request had when its response was over, with `task` and `taskId`. Its lines carry `reqId`.
   * Until then it is made anew on each read.
   */
  readonly log: FastifyBaseLogger
  readonly server: FastifyInstance
  /** How the response ended; undefined until it has, and always for a task without a request. */
  readonly response: ResponseEnd | undefined
  /** What the function returned, once completed. */
  readonly result: Result | undefined
  /** Why the task failed or was cancelled. */
  readonly error: unknown
  /**
   * Reports progress: a number from 0 to 1, or any JSON value. Ignored once the task has ended. U+FFFD takes the place of
   * text that a store cannot keep.
   * @throws FST_BGT_INVALID_PAYLOAD when the value is not JSON, or more than 1000 levels deep
   */
  progress (value: unknown): void
  /**
   * Cancels the task: a waiting one never runs, an active one has its signal aborted with FST_BGT_CANCELLED, whose
   * `cause` is the reason. Returns false when the task had already ended. While an engine that others share is storing the
   * task it ends once that is done, and as the store says.
   */
  cancel (reason?: unknown): boolean
  toJSON (): TaskSnapshot
}

/** The message of the diagnostics channels. */
export interface TaskMessage {
  task: Task
  /** Undefined for a task that was added without one. */
  request: FastifyRequest | undefined
}
