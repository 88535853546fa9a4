import type * as Bullmq from 'bullmq'
import { setImmediate } from '../../base/real-timers.js'

export type Entry = Parameters<Bullmq.RedisQueueBackend['addJobs']>[0][number]

/** The answer of Redis to one job: the error that refused the job, or its id. */
export type Answer = [error: Error | null, id: string]

interface Batch {
  entries: Entry[]
  answers: Promise<Answer[]>
}

/**
 * Collects the jobs of one turn of the event loop into one transaction. For ioredis, making a transaction is as much work as
 * filling it with several jobs.
 */
export class Batches {
  readonly #send: (entries: Entry[]) => Promise<Answer[]>
  #next: Batch | undefined

  constructor (send: (entries: Entry[]) => Promise<Answer[]>) {
    this.#send = send
  }

  /** Whether collected jobs were not sent yet. A later job must not overtake them. */
  get hasUnsent (): boolean {
    return this.#next !== undefined
  }

  /** Stores all of the jobs or none. Resolves to one answer for each job. */
  async add (entries: Entry[]): Promise<Answer[]> {
    const batch = this.#next ??= this.#begin()
    const start = batch.entries.length
    for (const entry of entries) batch.entries.push(entry)
    return (await batch.answers).slice(start, start + entries.length)
  }

  #begin (): Batch {
    const entries: Entry[] = []
    const answers = new Promise<Answer[]>((resolve) => {
      setImmediate(() => {
        this.#next = undefined
        resolve(this.#send(entries))
      })
    })
    return { entries, answers }
  }
}
