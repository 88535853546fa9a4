import { once } from 'node:events'
import type * as Bullmq from 'bullmq'

/** What we use of an ioredis client. */
interface Client extends NodeJS.EventEmitter {
  status: string
  options: { maxRetriesPerRequest: number | null, retryStrategy?: unknown, reconnectOnError?: ((error: Error) => unknown) | null }
  disconnect: (reconnect?: boolean) => void
}

async function clientsOf (backend: Bullmq.RedisQueueBackend): Promise<Client[]> {
  const clients = await Promise.all([backend.client, backend.blockingClient])
  return clients.filter((client) => client !== undefined) as unknown as Client[]
}

interface TimedClient extends NodeJS.EventEmitter {
  socketTimeoutTimer?: NodeJS.Timeout | undefined
}

/**
 * Ends the socket timeout of a connection with the connection: that of ioredis 5 would keep the process alive, or end the
 * connection that comes next.
 */
export function clearSocketTimeouts ({ connection, blockingConnection }: Bullmq.RedisQueueBackend): void {
  for (const part of [connection, blockingConnection]) {
    const client = (part as unknown as { _client: TimedClient } | undefined)?._client
    client?.on('close', () => {
      clearTimeout(client.socketTimeoutTimer)
      client.socketTimeoutTimer = undefined
    })
  }
}

/**
 * Has commands fail soon when the connection is lost, so that what was refused is not stored minutes later. Not before it
 * is open: a failure of BullMQ's first command is final for its connection.
 */
export async function failSoon (backend: Bullmq.RedisQueueBackend): Promise<void> {
  for (const { options } of await clientsOf(backend)) options.maxRetriesPerRequest = 1
}

/** Whether all connections are open. */
export async function areConnected (backend: Bullmq.RedisQueueBackend): Promise<boolean> {
  return (await clientsOf(backend)).every(({ status }) => status === 'ready')
}

/** Reconnects where the options say so of an error: ioredis asks about a transaction, not about what is in it. */
export async function reconnectOn (error: Error, backend: Bullmq.RedisQueueBackend): Promise<void> {
  const client = await backend.client as unknown as Client
  if (client.options.reconnectOnError?.(error)) client.disconnect(true)
}

/** Makes no further attempt to connect, waits for the outcome of the present one, and resolves to whether all are connected. */
export async function settleConnections (backend: Bullmq.RedisQueueBackend): Promise<boolean> {
  const clients = await clientsOf(backend)
  await Promise.all(clients.map(async (client) => {
    client.options.retryStrategy = null
    // To disconnect now would leave commands, and BullMQ's timers for them, without an end.
    if (client.status !== 'ready' && client.status !== 'end') await Promise.race([once(client, 'ready'), once(client, 'end')]).catch(() => {})
  }))
  return await areConnected(backend)
}

/** Lets go of connections that cannot be closed in good order. */
export async function cutConnections (backend: Bullmq.RedisQueueBackend): Promise<void> {
  for (const client of await clientsOf(backend)) client.disconnect()
}
