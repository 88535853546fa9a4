import { randomUUID } from 'node:crypto'
import type { NamedTaskOptions, StoredRetry, StoredTask } from '../../types/index.js'
import type { Retry } from '../options/retry-options.js'
import type { ResolvedTaskOptions } from '../options/task-options.js'
import { toKeepable } from '../base/text.js'
import { captureTrace } from './trace-context.js'

/** The StoredTask of one `add`, or of a tick, which gives the id. */
export function toStored (
  name: string, payload: unknown, { timeout, retry }: ResolvedTaskOptions, { delay, key, priority }: NamedTaskOptions,
  reqId: string | undefined, id: string = randomUUID()
): StoredTask {
  const trace = captureTrace()
  // This code is a cost of each request. A literal with a spread for each property would take several times as long.
  const stored: { -readonly [Key in keyof StoredTask]: StoredTask[Key] } = { id, name, payload, createdAt: Date.now() }
  if (timeout !== undefined) stored.timeout = timeout
  if (retry !== undefined) stored.retry = toStoredRetry(retry)
  if (delay !== undefined && delay > 0) stored.delay = delay
  if (key !== undefined) stored.key = key
  if (priority !== undefined) stored.priority = priority
  // The `genReqId` of an app may return numbers.
  if (reqId !== undefined) stored.reqId = typeof reqId === 'string' ? toKeepable(reqId) : reqId
  if (trace !== undefined) stored.trace = trace
  return stored
}

function toStoredRetry ({ retries, delay, factor, maxDelay, jitter, retryIf }: Retry): StoredRetry {
  const stored: StoredRetry = { retries, delay, factor, maxDelay, jitter }
  if (retryIf !== undefined) stored.conditional = true
  return stored
}
