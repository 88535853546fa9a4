import { createError } from '@fastify/error'

/**
 * Gives an error type a `stack` that is only its text. One call may make a hundred thousand such errors. Capturing a stack takes
 * longer than the rest of a task's end. Code that prints errors expects a `stack`.
 */
function withoutStack<Type extends { prototype: Error }> (type: Type): Type {
  Object.defineProperty(type.prototype, 'stack', { configurable: true, get (this: Error) { return String(this) } })
  return type
}

/** The value given to `add`, `waitUntil` or `register` is of a wrong kind, or a declaration has no handler. */
const FST_BGT_INVALID_TASK = createError<'FST_BGT_INVALID_TASK', [rule: string, received: string]>(
  'FST_BGT_INVALID_TASK', '%s, received %s')

/** An option is unknown, of the wrong type or out of range. */
const FST_BGT_INVALID_OPTIONS = createError<'FST_BGT_INVALID_OPTIONS', [problem: string, options?: ErrorOptions]>(
  'FST_BGT_INVALID_OPTIONS', '%s')

/** A payload, progress or result is not JSON, does not fit its schema, or cannot be kept by a store. */
const FST_BGT_INVALID_PAYLOAD = createError<'FST_BGT_INVALID_PAYLOAD', [problem: string, options?: ErrorOptions]>(
  'FST_BGT_INVALID_PAYLOAD', '%s')

/** Two registered tasks have the same name. */
const FST_BGT_DUPLICATE_TASK = createError<'FST_BGT_DUPLICATE_TASK', [name: string]>(
  'FST_BGT_DUPLICATE_TASK', 'a task named "%s" is already registered')

/**
 * The engine did not store tasks, as far as is known, or did not answer a question. The message goes to clients. The error of a
 * driver may name hosts and roles, so it is only the `cause`, for the log.
 */
const FST_BGT_ENGINE = createError<'FST_BGT_ENGINE', [what: 'stored' | 'asked for' | 'run again: this engine cannot', options: ErrorOptions]>(
  'FST_BGT_ENGINE', 'background tasks could not be %s', 503)

/** A task with a file could not run in a thread, or its thread ended before the task did. */
const FST_BGT_THREAD = createError<'FST_BGT_THREAD', [problem: string, options?: ErrorOptions]>(
  'FST_BGT_THREAD', '%s')

/** `maxPending` tasks are unfinished. */
const FST_BGT_FULL = createError<'FST_BGT_FULL', [maxPending: number]>(
  'FST_BGT_FULL', 'no task is accepted while %d are unfinished', 503)

/** The app has finished closing. */
const FST_BGT_CLOSED = createError<'FST_BGT_CLOSED', [name: string]>(
  'FST_BGT_CLOSED', 'task "%s" was added after the app had closed', 503)

/** An attempt took longer than its `timeout`. */
const FST_BGT_TIMEOUT = createError<'FST_BGT_TIMEOUT', [name: string, timeoutMs: number]>(
  'FST_BGT_TIMEOUT', 'task "%s" timed out after %d ms')

/** The task was cancelled. The reason is the `cause`. */
const FST_BGT_CANCELLED = withoutStack(createError<'FST_BGT_CANCELLED', [name: string, options: ErrorOptions]>(
  'FST_BGT_CANCELLED', 'task "%s" was cancelled', 500, Error, false))

/** The app closed, and `closeTimeout` was over before the task had ended. */
const FST_BGT_CLOSING = withoutStack(createError<'FST_BGT_CLOSING', [name: string, closeTimeoutMs: number]>(
  'FST_BGT_CLOSING', 'task "%s" was stopped: the app closes and its closeTimeout of %d ms is over', 500, Error, false))

/** `idle` waited longer than its `timeout`. */
const FST_BGT_IDLE_TIMEOUT = createError<'FST_BGT_IDLE_TIMEOUT', [timeoutMs: number, left: string]>(
  'FST_BGT_IDLE_TIMEOUT', 'still unfinished after %d ms: %s')

export const errors = {
  FST_BGT_INVALID_TASK,
  FST_BGT_INVALID_OPTIONS,
  FST_BGT_INVALID_PAYLOAD,
  FST_BGT_DUPLICATE_TASK,
  FST_BGT_ENGINE,
  FST_BGT_THREAD,
  FST_BGT_FULL,
  FST_BGT_CLOSED,
  FST_BGT_TIMEOUT,
  FST_BGT_CANCELLED,
  FST_BGT_CLOSING,
  FST_BGT_IDLE_TIMEOUT
}

/** The thrown value as an error. The logger shows only a `cause` that is an error. */
export function toError (thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown), { cause: thrown })
}

/** The message of an error, or the text of any other thrown value. */
export function messageOf (thrown: unknown): string {
  try {
    if (isErrorLike(thrown)) return String(thrown.message)
  } catch {
    // A proxy or a getter has thrown. `describe` can describe such a value.
  }
  return typeof thrown === 'string' ? thrown : describe(thrown)
}

export interface ErrorLike {
  name?: unknown
  message: unknown
  code?: unknown
}

/** Whether a thrown value has a message. An error of another realm has one, and so may any object. */
export function isErrorLike (thrown: unknown): thrown is ErrorLike {
  return thrown instanceof Error ||
    (typeof thrown === 'object' && thrown !== null && typeof (thrown as { message?: unknown }).message === 'string')
}

/** A short text for any value, for error messages. */
export function describe (value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value)
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return String(value)
  try {
    return describeObject(value)
  } catch {
    // A proxy or a getter may throw.
    return 'an object'
  }
}

function describeObject (value: object & { then?: unknown }): string {
  if (typeof value === 'function') return `function ${String((value as { name?: unknown }).name) || '(anonymous)'}`
  if (Array.isArray(value)) return 'an array'
  if (value instanceof URL) return value.href
  return typeof value.then === 'function' ? 'a promise' : `an object of type ${value.constructor?.name ?? 'Object'}`
}
