import type { TaskErrorSnapshot, TaskSnapshot, TaskState } from '../../index.js'

/** What the engine keeps of a task: Celery keeps nothing of a task that no worker has taken yet. */
export interface TaskRecord {
  name: string
  createdAt: number
  /** When the task may start, in milliseconds since 1970. */
  dueAt: number
}

/** What a worker keeps of a task in the result backend. */
export interface CeleryMeta {
  status: string
  result: unknown
  date_done: string | null
  /** Only with `result_extended`. */
  retries?: number
}

/** Any other status is one of the task's own, with its progress. */
const states = new Map<string, TaskState>([
  ['PENDING', 'waiting'], ['RECEIVED', 'waiting'], ['STARTED', 'active'], ['RETRY', 'delayed'],
  ['SUCCESS', 'completed'], ['FAILURE', 'failed'], ['REVOKED', 'cancelled']
])

export function snapshotOf (id: string, { name, createdAt, dueAt }: TaskRecord, meta: CeleryMeta | undefined): TaskSnapshot {
  const task = { id, name, createdAt: new Date(createdAt).toISOString() }
  if (meta === undefined) return { ...task, state: dueAt > Date.now() ? 'delayed' : 'waiting', attempt: 1 }
  const { status, result, date_done: done, retries } = meta
  const state = states.get(status)
  return {
    ...task,
    state: state ?? 'active',
    attempt: (retries ?? 0) + 1,
    ...(state === undefined && { progress: result }),
    ...(state === 'completed' && { result }),
    ...((state === 'failed' || state === 'cancelled' || state === 'delayed') && { error: errorOf(result) }),
    // In UTC. Older versions of Celery leave the zone out.
    ...(done !== null && { finishedAt: new Date(/Z|\+/.test(done) ? done : `${done}Z`).toISOString() })
  }
}

/** An exception as the serializer `json` keeps it. */
function errorOf (result: unknown): TaskErrorSnapshot {
  const { exc_type: name = 'Exception', exc_message: args = [] } = (result ?? {}) as { exc_type?: string, exc_message?: unknown }
  return { name, message: [args].flat().map(String).join(', ').slice(0, 4096) }
}
