/** One attempt of a task, as a thread receives it. */
export interface ThreadCall {
  /** The URL of the file whose default export is called. */
  readonly file: string
  readonly payload: unknown
  readonly id: string
  readonly name: string
  readonly attempt: number
}

/** A call with the key that tells the calls of one pool apart. */
export interface KeyedCall extends ThreadCall {
  readonly key: number
}

/** A message of a thread: a call begins, or it reports progress. A file may send other messages through the same port. */
export interface ThreadMessage {
  /** The key of the call. */
  readonly backgroundTask: number
  /** The progress as JSON. Absent when the call begins. */
  readonly progress?: string
}

/** A thrown value, with the parts of an error that a structured clone loses. */
export interface Thrown {
  readonly value: unknown
  /** The name of an error. */
  readonly name?: string
  /** The own properties of an error. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** The outcome of a call in its thread. */
export interface ThreadOutcome {
  readonly result?: unknown
  readonly thrown?: Thrown
  /** Whether the file does not work as a task: it has no function, or its result cannot leave the thread. */
  readonly isFileAtFault?: boolean
  /** The number of progress reports. Their messages may arrive after the outcome. */
  readonly reports: number
  /** The last progress as JSON. */
  readonly progress: string
}
