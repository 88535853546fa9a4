import { hostname } from 'node:os'
import type { StoredTask } from '../../index.js'

/** A message of Celery, the same for every broker. */
export interface CeleryMessage {
  /** The id of the task. Empty for a message to the workers themselves. */
  id: string
  headers: Record<string, unknown>
  body: unknown
}

/** RabbitMQ takes a message back from a worker that has held it for 30 minutes, Redis after an hour: it would run twice. */
const MAX_DELAY_MS = 20 * 60_000

/**
 * A task in message protocol 2: https://docs.celeryq.dev/en/stable/internals/protocol.html
 * @throws Error when Celery has nothing for an option of the task
 */
export function taskMessage (task: StoredTask): CeleryMessage {
  const { id, name, payload, delay, timeout, reqId, trace } = task
  for (const option of ['key', 'priority', 'retry'] as const) {
    if (task[option] !== undefined) throw new Error(`${name}: Celery takes no ${option} from outside`)
  }
  if (delay !== undefined && delay > MAX_DELAY_MS) throw new Error(`${name}: a delay must be <= ${MAX_DELAY_MS}, received ${delay}`)
  const [args, kwargs] = Array.isArray(payload) ? [payload, {}] : [[], payload]
  return {
    id,
    headers: {
      // Trace headers are where OpenTelemetry for Celery looks for them.
      ...trace,
      lang: 'py',
      task: name,
      id,
      root_id: id,
      parent_id: null,
      group: null,
      retries: 0,
      eta: delay === undefined ? null : pythonTime(Date.now() + delay),
      expires: null,
      // In seconds: the hard limit, which ends the process of the task, and the soft one.
      timelimit: [timeout === undefined ? null : timeout / 1000, null],
      origin: `${process.pid}@${hostname()}`,
      // Not Celery's: `self.request.req_id` of the task.
      req_id: reqId ?? null
    },
    body: [args, kwargs, { callbacks: null, errbacks: null, chain: null, chord: null }]
  }
}

/** As Python writes it, in microseconds: Celery reads a fraction of three digits as microseconds too. */
function pythonTime (ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000+00:00')
}

/** Asks all workers to revoke a task: https://docs.celeryq.dev/en/stable/userguide/workers.html#revoke-revoking-tasks */
export function revokeMessage (id: string, terminate: boolean): CeleryMessage {
  const args = { task_id: id, terminate, signal: 'SIGTERM' }
  return {
    id: '',
    headers: { clock: 0, expires: 0 },
    body: { method: 'revoke', arguments: args, destination: null, pattern: null, matcher: null }
  }
}
