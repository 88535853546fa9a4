import type * as Bullmq from 'bullmq'
import type { Queries } from './postgres-records.js'

/** Frees a key whose job has ended. Gives a row if the job has. */
const FREE = `
WITH ended AS (SELECT id FROM job WHERE queue = $1 AND id = $2 AND state IN ('completed', 'failed')), freed AS (
  DELETE FROM dedup USING ended WHERE queue = $1 AND dedup_id = $3 AND job_id = ended.id
)
SELECT FROM ended`

type Entry = Parameters<Bullmq.IQueueBackend['addJobs']>[0][number]

/**
 * Has a job get its key from one that has ended. BullMQ gives the key to each new job before it finds that the id is known: a
 * job that had ended then keeps the key for as long as it can be looked up.
 */
export function freeKeysOfEnded (backend: Bullmq.IQueueBackend): void {
  const { addJob, addJobs } = backend
  const queries = backend as unknown as Queries

  /** Whether the job that has the key has ended. Frees the key if so. */
  async function hasEnded ({ job }: Entry, holder: string): Promise<boolean> {
    return (await queries.query(FREE, [queries.queueName, holder, job.deduplicationId])).rows.length > 0
  }

  // In a transaction of the user, `this` is another backend. Only schedules add known ids, and not in transactions.
  backend.addJob = async function (this: Bullmq.IQueueBackend, job, jobId, parentKeyOpts) {
    const id = await addJob.call(this, job, jobId, parentKeyOpts)
    if (this !== backend || id === jobId || !await hasEnded({ job, jobId }, id)) return id
    return await backend.addJob(job, jobId, parentKeyOpts)
  }
  backend.addJobs = async function (this: Bullmq.IQueueBackend, entries) {
    const ids = await addJobs.call(this, entries)
    const refused: Entry[] = []
    if (this !== backend) return ids
    for (const [index, entry] of entries.entries()) {
      if (ids[index] !== entry.jobId && await hasEnded(entry, ids[index]!)) refused.push(entry)
    }
    if (refused.length === 0) return ids
    const added = await backend.addJobs(refused)
    return entries.map((entry, index) => added[refused.indexOf(entry)] ?? ids[index]!)
  }
}
