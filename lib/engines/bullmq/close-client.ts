import type * as Bullmq from 'bullmq'
import { within } from '../../base/within.js'
import { cutConnections, settleConnections } from './redis-connections.js'

/** How long the store may take to end its connections. */
const GOODBYE_MS = 2000

/** A queue, a worker or the queue events of BullMQ. */
export type Client = Bullmq.QueueBase<any, any>

/** Closes a client that has been connected. If the store takes too long, the connections are cut. */
export async function closeClient (client: Client, isRedis: boolean): Promise<void> {
  await within(GOODBYE_MS, async () => {
    const isConnected = !isRedis || await settleConnections(client.getBackend())
    await (isConnected ? client.close() : closeNow(client))
  }).catch(() => { if (isRedis) return cutConnections(client.getBackend()) })
}

/** Closes a client without a connection. */
export async function closeNow (client: Client): Promise<void> {
  if ('resume' in client) return await (client as Bullmq.Worker).close(true)
  const closed = client.getBackend().close(true)
  // `close` ends the loops of the client, but may wait for a connection for ever.
  client.close().catch(() => {})
  await closed
}
