import type * as Bullmq from 'bullmq'
import { within } from '../../base/within.js'
import { cutConnections, settleConnections } from './redis-connections.js'

/** How long the store may take to say goodbye. */
const GOODBYE_MS = 2000

/** One of BullMQ's objects. */
export type Client = Bullmq.QueueBase<any, any>

/** Closes a client that has been connected. Its connections are cut where the store does not say goodbye. */
export async function closeClient (client: Client, isRedis: boolean): Promise<void> {
  await within(GOODBYE_MS, async () => {
    const isConnected = !isRedis || await settleConnections(client.getBackend())
    await (isConnected ? client.close() : closeNow(client))
  }).catch(() => { if (isRedis) return cutConnections(client.getBackend()) })
}

/** Closes a client that has nothing to say goodbye to. */
export async function closeNow (client: Client): Promise<void> {
  if ('resume' in client) return await (client as Bullmq.Worker).close(true)
  const closed = client.getBackend().close(true)
  // Ends its loops, but may wait for a connection for ever.
  client.close().catch(() => {})
  await closed
}
