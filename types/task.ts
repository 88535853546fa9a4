import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'

/** The state of a task. The last four states are final. */
export type TaskState = 'waiting' | 'active' | 'delayed' | 'completed' | 'failed' | 'cancelled' | 'skipped'

/** The end of a response: handed over in full, or cut off (client gone, stream broken). */
export interface ResponseEnd {
  readonly outcome: 'sent' | 'aborted'
  readonly statusCode: number
}

/** An error as it leaves the process, without a stack. Each text is cut to 4096 characters. */
export interface TaskErrorSnapshot {
  name: string
  code?: string
  message: string
}

/** The state of a task at one moment, as plain JSON. Times are ISO 8601. */
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
  /** The result, if the task declares a result schema. */
  result?: unknown
}

/** One piece of background work. `add` returns the task, and the function receives it. A task is not thenable. */
export interface Task<Result = unknown> {
  /** A random UUID, made on first read. After that `get` finds the task by this id. */
  readonly id: string
  readonly name: string
  readonly state: TaskState
  /** The number of the attempt that runs or ran last. 1 until a retry starts. */
  readonly attempt: number
  /** A signal that aborts on timeout, cancel and the shutdown deadline, never when the client disconnects. Made on first read. */
  readonly signal: AbortSignal
  /**
   * A child of the logger that the request had when its response was over, with `task` and `taskId`. Its lines have the `reqId`.
   * Before the response is over, each read makes a new child.
   */
  readonly log: FastifyBaseLogger
  readonly server: FastifyInstance
  /** The end of the response. Undefined before that end, and for a task without a request. */
  readonly response: ResponseEnd | undefined
  /** The value that the function returned, once the task has completed. */
  readonly result: Result | undefined
  /** Why the task failed or was cancelled. */
  readonly error: unknown
  /**
   * Reports progress: a number from 0 to 1, or any JSON value. Progress is ignored after the task has ended. U+FFFD takes the
   * place of text that a store cannot keep.
   * @throws FST_BGT_INVALID_PAYLOAD when the value is not JSON, or more than 1000 levels deep
   */
  progress (value: unknown): void
  /**
   * Cancels the task. A waiting task never runs. The signal of an active task aborts with FST_BGT_CANCELLED, whose `cause` is the
   * reason. Returns false when the task had already ended. A task that is being stored in a shared store ends after that, in the
   * state that the store shows.
   */
  cancel (reason?: unknown): boolean
  toJSON (): TaskSnapshot
}

/** The message on the diagnostics channels. */
export interface TaskMessage {
  task: Task
  /** The request of the task. Undefined for a task without a request. */
  request: FastifyRequest | undefined
}

/** The message on the channel `fastify-background-tasks.response`, published when a response whose request added tasks is over. */
export interface ResponseMessage {
  request: FastifyRequest
  response: ResponseEnd
}
