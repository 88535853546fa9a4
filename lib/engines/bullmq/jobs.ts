import type { Job, JobState, JobsOptions } from 'bullmq'
import type { StoredRetry, StoredTask, TaskErrorSnapshot, TaskSnapshot } from '../../../types/index.js'
import { errors } from '../../errors.js'
import { BACKOFF } from '../../options/retry-options.js'
import { errorSnapshot } from '../../base/snapshot.js'
import type { JobRecord, Notes } from './records.js'

/** What BullMQ has no place of its own for: every request pays for each byte. */
export interface JobData extends Omit<StoredTask, 'id' | 'name' | 'createdAt' | 'retry' | 'delay' | 'priority'>, Partial<Notes> {
  /** Of the retries, what is not usual. Their number is in BullMQ's `attempts`. */
  retry?: Partial<StoredRetry>
}

export type TaskJob = Job<JobData, unknown, string>

/** Ids are UUIDs. Whatever else somebody asks for may be the name of another key in Redis. */
export function isId (id: string): boolean {
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(id)
}

/** What `addBulk` takes for a task. */
export function toJob (task: StoredTask, removeAfterMs: number): { name: string, data: JobData, opts: JobsOptions } {
  const { id, name, payload, createdAt, timeout, retry, delay, key, priority, reqId, trace } = task
  // Every request pays for this: the rest of a pattern takes several times as long.
  const data: { -readonly [Key in keyof JobData]: JobData[Key] } = { payload }
  if (timeout !== undefined) data.timeout = timeout
  if (retry !== undefined && isUnusual(retry)) data.retry = retry
  if (key !== undefined) data.key = key
  if (reqId !== undefined) data.reqId = reqId
  if (trace !== undefined) data.trace = trace
  const removed = { age: Math.ceil(removeAfterMs / 1000) }
  const opts: JobsOptions = {
    jobId: id,
    timestamp: createdAt,
    attempts: 1 + (retry?.retries ?? 0),
    // The delay is that of the outcome: see the worker's backoffStrategy.
    backoff: { type: 'custom' },
    removeOnComplete: removed,
    removeOnFail: removed
  }
  if (delay !== undefined) opts.delay = delay
  if (priority !== undefined) opts.priority = priority
  if (key !== undefined) opts.deduplication = { id: JSON.stringify([name, key]) }
  return { name, data, opts }
}

function isUnusual ({ delay, factor, maxDelay, jitter, conditional }: StoredRetry): boolean {
  return delay !== BACKOFF.delay || factor !== BACKOFF.factor || maxDelay !== BACKOFF.maxDelay || jitter !== BACKOFF.jitter ||
    conditional === true
}

export function toStored (job: TaskJob): StoredTask {
  const { error, startedAt, retry, ...stored } = job.data
  const { attempts, delay = 0, priority } = job.opts
  const retries = (attempts as number) - 1
  return {
    ...stored,
    id: idOf(job),
    name: job.name,
    createdAt: job.timestamp,
    ...(delay > 0 && { delay }),
    ...(priority !== undefined && { priority }),
    ...(retries > 0 && { retry: { ...BACKOFF, ...retry, retries } })
  }
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

/** A job that was cancelled between attempts ended then. That a worker has to take it once more, and ends it, is no attempt. */
function endedByMark (record: JobRecord, state: TaskSnapshot['state']): Times | undefined {
  const { attemptsMade, attemptsStarted, finishedOn, startedAt, processedOn, cancelled } = record
  if (state !== 'cancelled' || cancelled === undefined) return undefined
  const isTakenAgain = attemptsStarted > cancelled.during
  if (finishedOn !== undefined && !isTakenAgain) return undefined
  const attempts = finishedOn === undefined ? attemptsMade : attemptsMade - 1
  return { attempts, startedAt: startedAt ?? (isTakenAgain ? undefined : processedOn), finishedAt: cancelled.at }
}

/** A job that is cancelled while it runs is active until its worker has said how it ended. */
function stateOf ({ state, attemptsStarted, cancelled }: JobRecord): TaskSnapshot['state'] {
  const isEnding = state === 'active' && cancelled?.during === attemptsStarted
  return cancelled !== undefined && !isEnding ? 'cancelled' : STATES[state] ?? 'waiting'
}

function errorOf ({ error, name, failedReason }: JobRecord, state: TaskSnapshot['state']): TaskErrorSnapshot | undefined {
  if (state === 'cancelled') return errorSnapshot(new errors.FST_BGT_CANCELLED(name, { cause: undefined }))
  if (state === 'failed') return error ?? { name: 'Error', message: failedReason! }
  return undefined
}

/** What a job returns: BullMQ makes null of no result, so that a result of null must look otherwise. */
export function toReturnvalue (result: unknown): { value: unknown } | undefined {
  return result === undefined ? undefined : { value: result }
}

/** What another program has returned is no wrapped result, and shown as it is; it may look like one by chance. */
function resultOf ({ returnvalue }: JobRecord): { result?: unknown } {
  if (returnvalue === null || returnvalue === undefined) return {}
  return { result: isWrapped(returnvalue) && Object.keys(returnvalue).length === 1 ? returnvalue.value : returnvalue }
}

/** Progress and results are wrapped: BullMQ's own words for none are 0 and null. */
function isWrapped (stored: unknown): stored is { value: unknown } {
  return typeof stored === 'object' && stored !== null && 'value' in stored
}
