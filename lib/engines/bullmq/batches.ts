import type * as Bullmq from 'bullmq'
import { setImmediate } from '../../base/real-timers.js'

export type Entry = Parameters<Bullmq.RedisQueueBackend['addJobs']>[0][number]

/** What Redis says of one job: why it was refused, or its id. */
export type Answer = [error: Error | null, id: string]

interface Batch {
  entries: Entry[]
  answers: Promise<Answer[]>
}

/**
 * Collects the jobs that one turn of the event loop brings into one transaction: for ioredis, to make a transaction is as
 * much work as to fill it with several jobs.
 */
export class Batches {
  readonly #send: (entries: Entry[]) => Promise<Answer[]>
  #next: Batch | undefined

  constructor (send: (entries: Entry[]) => Promise<Answer[]>) {
    this.#send = send
  }

  /** Whether jobs have been collected that are not sent yet: what comes after them must not overtake them. */
  get isDue (): boolean {
    return this.#next !== undefined
  }

  /** All of the jobs are stored, or none of them. Resolves to one answer each. */
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
