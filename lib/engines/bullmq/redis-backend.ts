import type { Socket } from 'node:net'
import type * as Bullmq from 'bullmq'
import { setImmediate } from '../../base/real-timers.js'
import { type Answer, Batches } from './batches.js'
import type { BullmqModule } from './module.js'
import { failMarked } from './records.js'
import { clearSocketTimeouts, reconnectOn } from './redis-connections.js'

/**
 * BullMQ's backend for Redis, except that a batch is stored whole or not at all, and that the batches of one turn of the
 * event loop are sent together, and so are its single jobs.
 */
export function redisBackend (bullmq: BullmqModule): Bullmq.BackendFactory<Bullmq.RedisQueueBackend> {
  return (name, options, more) => {
    const backend = bullmq.createRedisBackend(name, options, more)
    clearSocketTimeouts(backend)
    failMarked(backend)
    const addJob = backend.addJob.bind(backend)
    const addJobs = backend.addJobs.bind(backend)

    // BullMQ sends a batch as a pipeline: when memory runs out in the middle of it, half of it is stored.
    const batches = new Batches(async (entries) => {
      const transaction = (await backend.client).multi()
      for (const { job, jobId, parentKeyOpts } of entries) {
        await backend.addJobToTransaction(transaction, job, jobId, parentKeyOpts)
      }
      return await transaction.exec() as Answer[]
    })

    // A transaction costs ioredis much more CPU than a command, so that one job is better off without.
    backend.addJob = async (job, jobId, parentKeyOpts = {}) => {
      if (batches.isDue) return (await backend.addJobs([{ job, jobId, parentKeyOpts }]))[0] as string
      const { stream } = await backend.client as { stream?: Socket }
      if (stream !== undefined) holdWrites(stream)
      return await addJob(job, jobId, parentKeyOpts)
    }
    backend.addJobs = async (entries) => {
      const answers = await batches.add(entries)
      const failure = answers.find(([error]) => error)?.[0]
      // Redis has dropped its scripts. A pipeline sends them anew, and what is stored already is not stored twice.
      if (failure?.message.includes('NOSCRIPT') === true) return await addJobs(entries)
      if (failure) await reconnectOn(failure, backend)
      if (failure) throw failure
      return answers.map(([, id]) => id)
    }
    return backend
  }
}

/** Has what is written in this turn of the event loop go out in one piece: a system call for each is a large part of its cost. */
function holdWrites (socket: Socket): void {
  if (socket.writableCorked > 0) return
  socket.cork()
  setImmediate(() => { socket.uncork() })
}

/** Whether the server has become a replica: the name that was connected to leads to another one by now, or soon. */
function isReadOnly ({ message }: Error): boolean {
  return message.includes('READONLY')
}

const MAX_RETRY_DELAY_MS = 500

/** How long a dead connection to a store that answers at once may go unnoticed. */
const SOCKET_TIMEOUT_MS = 5000

/** As long as a worker waits for a task on its connection, and more. */
const BLOCKING_SOCKET_TIMEOUT_MS = 20_000

/** What we ask of ioredis unless the user says otherwise. `blocking`: the connection may wait for an answer. */
export function redisOptions (connection: Bullmq.RedisOptions | undefined, blocking: boolean): Bullmq.RedisOptions {
  return {
    // BullMQ's own delays grow to 20 seconds, for which nothing would be stored although Redis is back.
    retryStrategy: (times: number) => Math.min(50 * 2 ** times, MAX_RETRY_DELAY_MS),
    reconnectOnError: isReadOnly,
    socketTimeout: blocking ? BLOCKING_SOCKET_TIMEOUT_MS : SOCKET_TIMEOUT_MS,
    ...connection,
    maxRetriesPerRequest: null
  } as Bullmq.RedisOptions
}
