import type { Job, JobState, JobsOptions } from 'bullmq'
import type { StoredPayload, StoredRetry, StoredTask, TaskErrorSnapshot, TaskSnapshot } from '../../../types/index.js'
import { errors } from '../../errors.js'
import { BACKOFF } from '../../options/retry-options.js'
import { errorSnapshot } from '../../base/snapshot.js'
import type { JobRecord, Notes } from './records.js'

/** The parts of a task that BullMQ has no place of its own for. Each byte is a cost of every request. */
export interface JobData extends Omit<StoredTask, 'id' | 'name' | 'createdAt' | 'retry' | 'delay' | 'priority'>, Partial<Notes> {
  /** The retry options, if they differ from the defaults. The number of retries is in the `attempts` of BullMQ. */
  retry?: Partial<StoredRetry>
}

/** The options of a job. The id of a request is here, and not in the data, so that it is read without the payload. */
type JobOptions = JobsOptions & { reqId?: string }

export type TaskJob = Job<JobData, unknown, string>

/** Whether an id is a UUID, as those of tasks are. Any other id may be the name of another key in Redis. */
export function isId (id: string): boolean {
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(id)
}

/** The job that `addBulk` takes for a task. */
export function toJob (task: StoredTask, removeAfterMs: number): { name: string, data: JobData, opts: JobOptions } {
  const { id, name, payload, createdAt, timeout, retry, delay, key, priority, reqId, trace } = task
  // This code is a cost of each request. A rest pattern would take several times as long.
  const data: { -readonly [Key in keyof JobData]: JobData[Key] } = { payload }
  if (timeout !== undefined) data.timeout = timeout
  if (retry !== undefined && isUnusual(retry)) data.retry = retry
  if (key !== undefined) data.key = key
  if (trace !== undefined) data.trace = trace
  const removed = { age: Math.ceil(removeAfterMs / 1000) }
  const opts: JobOptions = {
    jobId: id,
    timestamp: createdAt,
    attempts: 1 + (retry?.retries ?? 0),
    // The outcome of an attempt has the delay: see `backoffStrategy` of the worker.
    backoff: { type: 'custom' },
    removeOnComplete: removed,
    removeOnFail: removed
  }
  if (delay !== undefined) opts.delay = delay
  if (priority !== undefined) opts.priority = priority
  if (key !== undefined) opts.deduplication = { id: JSON.stringify([name, key]) }
  // Redis would round a large number in the options.
  if (typeof reqId === 'string') opts.reqId = reqId
  else if (reqId !== undefined) data.reqId = reqId
  return { name, data, opts }
}

function isUnusual ({ delay, factor, maxDelay, jitter, conditional }: StoredRetry): boolean {
  return delay !== BACKOFF.delay || factor !== BACKOFF.factor || maxDelay !== BACKOFF.maxDelay || jitter !== BACKOFF.jitter ||
    conditional === true
}

export function toStored (job: TaskJob): StoredTask {
  const { payload, timeout, retry, key, trace, reqId: ownReqId } = job.data
  const { attempts, delay = 0, priority, reqId = ownReqId } = job.opts as JobOptions
  const retries = (attempts as number) - 1
  // As in `toJob`: this code is a cost of each attempt.
  const stored: { -readonly [Key in keyof StoredTask]: StoredTask[Key] } = { id: idOf(job), name: job.name, payload, createdAt: job.timestamp }
  if (timeout !== undefined) stored.timeout = timeout
  if (retries > 0) stored.retry = retry === undefined ? { ...BACKOFF, retries } : { ...BACKOFF, ...retry, retries }
  if (delay > 0) stored.delay = delay
  if (key !== undefined) stored.key = key
  if (priority !== undefined) stored.priority = priority
  if (reqId !== undefined) stored.reqId = reqId
  if (trace !== undefined) stored.trace = trace
  return stored
}

export function toPayload (data: JobData, opts: { reqId?: string }): StoredPayload {
  const { payload, key, reqId = opts.reqId } = data
  return { payload, ...(key !== undefined && { key }), ...(reqId !== undefined && { reqId }) }
}

export function idOf ({ id }: TaskJob): string {
  return id as string
}

function isoOf (ms: number): string {
  return new Date(ms).toISOString()
}

const STATES: Partial<Record<JobState, TaskSnapshot['state']>> =
  { active: 'active', completed: 'completed', failed: 'failed', delayed: 'delayed' }

export function toSnapshot (record: JobRecord): TaskSnapshot {
  const { id, name, timestamp, progress } = record
  const state = stateOf(record)
  const error = errorOf(record, state)
  const { attempts, startedAt, finishedAt } = endedByMark(record, state) ?? timesOf(record, state)
  return {
    id,
    name,
    state,
    attempt: Math.max(1, attempts),
    ...(isWrapped(progress) && { progress: progress.value }),
    createdAt: isoOf(timestamp),
    ...(startedAt !== undefined && { startedAt: isoOf(startedAt) }),
    ...(finishedAt !== undefined && { finishedAt: isoOf(finishedAt) }),
    ...(error !== undefined && { error }),
    ...(state === 'completed' && resultOf(record))
  }
}

interface Times {
  attempts: number
  startedAt: number | undefined
  finishedAt: number | undefined
}

function timesOf ({ attemptsMade, startedAt, processedOn, finishedOn }: JobRecord, state: TaskSnapshot['state']): Times {
  return { attempts: attemptsMade + (state === 'active' ? 1 : 0), startedAt: startedAt ?? processedOn, finishedAt: finishedOn }
}

/** The times of a job that was cancelled between attempts. A worker must take the job once more to end it: that is no attempt. */
function endedByMark (record: JobRecord, state: TaskSnapshot['state']): Times | undefined {
  const { attemptsMade, attemptsStarted, finishedOn, startedAt, processedOn, cancelled } = record
  if (state !== 'cancelled' || cancelled === undefined) return undefined
  const isTakenAgain = attemptsStarted > cancelled.during
  if (finishedOn !== undefined && !isTakenAgain) return undefined
  const attempts = finishedOn === undefined ? attemptsMade : attemptsMade - 1
  return { attempts, startedAt: startedAt ?? (isTakenAgain ? undefined : processedOn), finishedAt: cancelled.at }
}

/** The state of a job. A job that is cancelled while it runs stays active until its worker has ended it. */
function stateOf ({ state, attemptsStarted, cancelled }: JobRecord): TaskSnapshot['state'] {
  const isEnding = state === 'active' && cancelled?.during === attemptsStarted
  return cancelled !== undefined && !isEnding ? 'cancelled' : STATES[state] ?? 'waiting'
}

function errorOf ({ error, name, failedReason }: JobRecord, state: TaskSnapshot['state']): TaskErrorSnapshot | undefined {
  if (state === 'cancelled') return errorSnapshot(new errors.FST_BGT_CANCELLED(name, { cause: undefined }))
  if (state === 'failed') return error ?? { name: 'Error', message: failedReason! }
  return undefined
}

/** The value that a job returns to BullMQ. BullMQ turns undefined into null, so a result is wrapped to tell null apart. */
export function toReturnvalue (result: unknown): { value: unknown } | undefined {
  return result === undefined ? undefined : { value: result }
}

/** Unwraps the result of a job. The result of another program is shown as it is, even if it has a `value` among others. */
function resultOf ({ returnvalue }: JobRecord): { result?: unknown } {
  if (returnvalue === null || returnvalue === undefined) return {}
  return { result: isWrapped(returnvalue) && Object.keys(returnvalue).length === 1 ? returnvalue.value : returnvalue }
}

/** Whether progress or a result was stored by this package, which wraps both. BullMQ stores 0 and null for none. */
function isWrapped (stored: unknown): stored is { value: unknown } {
  return typeof stored === 'object' && stored !== null && 'value' in stored
}
