import type { RunControl } from '../../../types/index.js'
import type { TaskJob } from './jobs.js'

/**
 * The control of one attempt. Most attempts need neither a signal nor a report, so each is made when it is first asked for.
 * A host may take the functions out of it.
 */
export class JobControl implements RunControl {
  /** The value that the attempt has thrown. */
  thrown: unknown = undefined
  readonly #job: TaskJob
  #controller: AbortController | undefined = undefined
  #onCancel: ((reason: unknown) => void) | undefined = undefined
  #cancelled: { readonly reason: unknown } | undefined = undefined
  #reports: Reports | undefined = undefined

  constructor (job: TaskJob) {
    this.#job = job
  }

  get attempt (): number {
    return this.#job.attemptsMade + 1
  }

  get signal (): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#cancelled !== undefined) this.#controller.abort(this.#cancelled.reason)
    return this.#controller.signal
  }

  readonly onCancel = (listener: (reason: unknown) => void): void => {
    this.#onCancel = listener
    if (this.#cancelled !== undefined) listener(this.#cancelled.reason)
  }

  /** Tells the host that the task was cancelled. Only the first call counts. */
  cancel (reason: unknown): void {
    if (this.#cancelled !== undefined) return
    this.#cancelled = { reason }
    this.#controller?.abort(reason)
    this.#onCancel?.(reason)
  }

  readonly progress = (value: unknown): void => {
    this.#reports ??= new Reports(this.#job)
    this.#reports.send(value)
  }

  readonly failed = (thrown: unknown): void => {
    this.thrown = thrown
  }

  /** Resolves when every report was sent or lost. Undefined while no report is on its way. */
  get sent (): Promise<void> | undefined {
    return this.#reports?.sent
  }
}

/** Sends the progress of one task, one report at a time. Of the reports that come meanwhile, only the last is sent. */
class Reports {
  readonly #job: TaskJob
  sent: Promise<void> | undefined
  #next: { value: unknown } | undefined

  constructor (job: TaskJob) {
    this.#job = job
  }

  send (value: unknown): void {
    this.#next = { value }
    this.sent ??= this.#sendAll()
  }

  async #sendAll (): Promise<void> {
    while (this.#next !== undefined) {
      const report = this.#next
      this.#next = undefined
      // A lost report does not fail the task.
      await this.#job.updateProgress(report).catch(() => {})
    }
    this.sent = undefined
  }
}
