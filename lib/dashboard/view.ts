import type { ListedTask, ResponseEnd, TaskErrorSnapshot, TaskState } from '../../types/index.js'

// The data of `GET live?view=…`, which the server writes and the page reads. A view is a set of entries, each with a key.
// The first event of a stream, `view`, has all entries. Each `change` has only those that are new, other than before, or gone.

/** The data of the events `view` and `change`. */
export interface Update {
  /** The clock of the server, in milliseconds since 1970. All times of the entries are on this clock, unless said otherwise. */
  now: number
  /** An entry that is gone is null. */
  entries: Record<string, Entry | null>
}

export type Entry = PageEntry | StoreEntry | CountsEntry | RatesEntry | NameEntry | RequestEntry | ListEntry | ListedEntry | TaskEntry | FoundEntry

/** `page`, in each view. */
export interface PageEntry {
  /** Whether this viewer may retry and cancel. */
  actions: boolean
  /** When the recording began. Nothing before it is in rates, names and requests. */
  since: number
  /** The script that fits this server. A page with another script loads itself again. */
  script: string
}

/** `store`, in each view, while the engine's store does not answer. */
export interface StoreEntry {
  error: string
  /** When it was first found not to answer. */
  since: number
}

/** `counts`, in the views `overview` and `tasks/<state>`. Each number is that of this process and of the store together. */
export interface CountsEntry extends Record<TaskState, number> {
  /** Milliseconds that the oldest waiting task of this process has waited. */
  oldestWaitingMs: number
}

/** `rates`, in the view `overview`: one value a second, the latest last, 60 at most. */
export interface RatesEntry {
  /** Tasks of this process that completed. */
  completed: number[]
  /** The longest delay of the event loop, in milliseconds. */
  delayMs: number[]
}

/** What a task runs: a function, a promise given to waitUntil, a registered task, or a registered task with a file. */
export type TaskKind = 'function' | 'promise' | 'registered' | 'file'

/** `name:<name>`, in the view `overview`: the tasks of one name since the recording began. */
export interface NameEntry {
  name: string
  kind: TaskKind
  /** Whether this process runs the tasks of this name, or other processes do. */
  where: 'here' | 'elsewhere'
  counts: Record<TaskState, number>
  /** The median of the latest attempts, in milliseconds. Absent before the first. */
  typicalMs?: number
  slowestMs?: number
  lastFailure?: { at: number, message: string }
}

/** `request:<number>` in the view `overview`, and `request` in the view `request/<number>`. Times in ms from its arrival. */
export interface RequestEntry {
  /** The recorder's own number. Request ids may repeat. */
  number: number
  reqId: string
  method: string
  /** The pattern of the route. */
  route: string
  arrivedAt: number
  /** Absent until the response is over. */
  response?: ResponseEnd & { at: number }
  lanes: Lane[]
}

/** A task on the time line. Times in milliseconds from the arrival of the request. */
export interface Lane {
  /** The recorder's own number. */
  number: number
  name: string
  kind: TaskKind
  state: TaskState
  /** The id of a registered task, and of any other task whose id was read. */
  id?: string
  added: number
  attempts: Attempt[]
  /** When a delayed task is due. */
  nextAt?: number
  ended?: number
  error?: TaskErrorSnapshot
  /** The condition that a skipped task did not meet. */
  when?: string
  /** Whether another process runs the task. Only added, last start and end are known then. */
  isElsewhere?: true
}

export interface Attempt {
  attempt: number
  from: number
  /** Absent while the attempt runs. */
  to?: number
  outcome?: 'completed' | 'failed' | 'cancelled'
}

/** `list`, in the view `tasks/<state>`. Undefined values are left out. */
export interface ListEntry {
  /** The tasks of the page, in order. Each has an entry `task:<id>`. */
  ids: string[]
  /** Of the next page. */
  cursor?: string
  scanned: number
}

/** `task:<id>`, in the view `tasks/<state>`. */
export interface ListedEntry extends ListedTask {
  /** What the viewer may do with it now. Neither is ever true where actions are not allowed. */
  canRetry: boolean
  canCancel: boolean
}

/** `task`, in the view `task/<id>`. Absent while the task is not known. */
export interface TaskEntry extends Omit<ListedEntry, 'where'> {
  where?: 'process' | 'stored'
  /** Only where the option `payload` allows it. */
  payload?: { value: unknown }
  /** The request that added the task, if it was recorded. */
  request?: { number: number, method: string, route: string }
  /** As on the time line of its request, times in milliseconds from when the task was added. */
  lane?: Lane
}

/** `found`, in the view `task/<id>`, when the id is none of a task: what else it may be the id of. */
export interface FoundEntry {
  /** The number of the newest request of this id. Absent where there is none. */
  request?: number
}
