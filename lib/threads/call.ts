/** What a thread gets to run one attempt of a task. */
export interface ThreadCall {
  /** The URL of the file whose default export is called. */
  readonly file: string
  readonly payload: unknown
  readonly id: string
  readonly name: string
  readonly attempt: number
}

/** A call on its way to a thread; `key` tells calls of one pool apart. */
export interface KeyedCall extends ThreadCall {
  readonly key: number
}

/** What the thread says when a call begins, and in the middle of it. A file may send messages of its own the same way. */
export interface ThreadMessage {
  /** The key of the call. */
  readonly backgroundTask: number
  /** As JSON; absent when the call begins. */
  readonly progress?: string
}

/** What was thrown in a thread, with what a structured clone of an error would lose. */
export interface Thrown {
  readonly value: unknown
  /** Of an error: its name and its own properties. */
  readonly name?: string
  readonly fields?: Readonly<Record<string, unknown>>
}

/** How a call ended in its thread. */
export interface ThreadOutcome {
  readonly result?: unknown
  readonly thrown?: Thrown
  /** It is the file itself that does not work: it cannot be called, or what it returns cannot leave the thread. */
  readonly isFileAtFault?: boolean
  /** How often progress was reported, and what was said last: messages may come after the outcome. */
  readonly reports: number
  readonly progress: string
}
