import type * as Bullmq from 'bullmq'
import { BELL } from './records.js'

/** The channel on which BullMQ tells workers of new jobs. The payload is the name of their queue. */
export const JOBS_CHANNEL = 'bullmq_jobs'

interface Notification {
  channel: string
  payload?: string
}

interface ListenClient {
  on (event: 'notification', listener: (notification: Notification) => void): void
}

/** The private members of a backend that are used here. BullMQ asks for the client before each wait, and replaces a lost one. */
interface Listening {
  queueName: string
  connection: { getListenClient: () => Promise<ListenClient> }
  ensureListening: () => Promise<unknown>
}

/** Calls `ring` at each cancellation of a task that a worker has. The worker listens to the channel anyway, for new jobs. */
export function hearNotifications (backend: Bullmq.IQueueBackend, ring: () => void): void {
  const { queueName, connection, ensureListening } = backend as unknown as Listening
  const { getListenClient } = connection
  const heard = new WeakSet<ListenClient>()
  connection.getListenClient = async () => {
    const client = await getListenClient.call(connection)
    if (heard.has(client)) return client
    heard.add(client)
    client.on('notification', ({ channel, payload }) => { if (channel === JOBS_CHANNEL && payload === queueName + BELL) ring() })
    return client
  }
  // A worker that always has a job would never wait for one. If the client cannot be had now, it is had before the first wait.
  ensureListening.call(backend).catch(() => {})
}
