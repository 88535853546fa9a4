import type { Socket } from 'node:net'
import type * as Bullmq from 'bullmq'
import { setImmediate } from '../../base/real-timers.js'
import { type Answer, Batches } from './batches.js'
import type { BullmqModule } from './module.js'
import { failMarked } from './records.js'
import { clearSocketTimeouts, reconnectOn } from './redis-connections.js'

/**
 * The Redis backend of BullMQ with two changes. A batch is stored whole or not at all. The batches of one turn of the event loop
 * are sent together, and so are its single jobs.
 */
export function redisBackend (bullmq: BullmqModule): Bullmq.BackendFactory<Bullmq.RedisQueueBackend> {
  return (name, options, more) => {
    const backend = bullmq.createRedisBackend(name, options, more)
    clearSocketTimeouts(backend)
    failMarked(backend)
    const addJob = backend.addJob.bind(backend)
    const addJobs = backend.addJobs.bind(backend)

    // BullMQ itself sends a batch as a pipeline. If Redis runs out of memory in the middle, half of the batch is stored.
    const batches = new Batches(async (entries) => {
      const transaction = (await backend.client).multi()
      for (const { job, jobId, parentKeyOpts } of entries) {
        await backend.addJobToTransaction(transaction, job, jobId, parentKeyOpts)
      }
      return await transaction.exec() as Answer[]
    })

    // A transaction costs ioredis much more CPU than a command, so a single job is sent as a command.
    backend.addJob = async (job, jobId, parentKeyOpts = {}) => {
      if (batches.hasUnsent) return (await backend.addJobs([{ job, jobId, parentKeyOpts }]))[0] as string
      const { stream } = await backend.client as { stream?: Socket }
      if (stream !== undefined) holdWrites(stream)
      return await addJob(job, jobId, parentKeyOpts)
    }
    backend.addJobs = async (entries) => {
      const answers = await batches.add(entries)
      const failure = answers.find(([error]) => error)?.[0]
      // Redis has dropped its scripts. The pipeline of BullMQ sends them again, and stores no job twice.
      if (failure?.message.includes('NOSCRIPT') === true) return await addJobs(entries)
      if (failure) await reconnectOn(failure, backend)
      if (failure) throw failure
      return answers.map(([, id]) => id)
    }
    return backend
  }
}

/** Sends all writes of this turn of the event loop in one piece. A system call is a large part of the cost of a write. */
function holdWrites (socket: Socket): void {
  if (socket.writableCorked > 0) return
  socket.cork()
  setImmediate(() => { socket.uncork() })
}

/** Whether the server has become a replica. Its host name then leads to another server, now or soon. */
function isReadOnly ({ message }: Error): boolean {
  return message.includes('READONLY')
}

const MAX_RETRY_DELAY_MS = 500

/** How long a dead connection may go unnoticed. Redis answers the commands of such a connection at once. */
const SOCKET_TIMEOUT_MS = 5000

/** How long a dead connection of a worker may go unnoticed. Its command waits for a task, which takes longer. */
const BLOCKING_SOCKET_TIMEOUT_MS = 20_000

/** The options of ioredis, with defaults for what the user leaves out. `blocking`: commands may wait for a task. */
export function redisOptions (connection: Bullmq.RedisOptions | undefined, blocking: boolean): Bullmq.RedisOptions {
  return {
    // The delays of BullMQ itself grow to 20 seconds. Storing would fail for so long although Redis is back.
    retryStrategy: (times: number) => Math.min(50 * 2 ** times, MAX_RETRY_DELAY_MS),
    reconnectOnError: isReadOnly,
    socketTimeout: blocking ? BLOCKING_SOCKET_TIMEOUT_MS : SOCKET_TIMEOUT_MS,
    ...connection,
    maxRetriesPerRequest: null
  } as Bullmq.RedisOptions
}
