import { once } from 'node:events'
import type * as Bullmq from 'bullmq'

/** The members of an ioredis client that are used here. */
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
 * Clears the socket timeout of a connection when the connection closes. In ioredis 5 the timeout would go on. It would keep the
 * process alive, or end the next connection.
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
 * Has commands fail soon after the connection is lost, so that a refused task is not stored minutes later. Call it only after
 * the connection is open: if the first command of BullMQ fails, its connection never opens.
 */
export async function failSoon (backend: Bullmq.RedisQueueBackend): Promise<void> {
  for (const { options } of await clientsOf(backend)) options.maxRetriesPerRequest = 1
}

/** Whether all connections are open. */
export async function areConnected (backend: Bullmq.RedisQueueBackend): Promise<boolean> {
  return (await clientsOf(backend)).every(({ status }) => status === 'ready')
}

/** Reconnects if `reconnectOnError` says so. For a transaction, ioredis does not ask about the errors of its commands. */
export async function reconnectOn (error: Error, backend: Bullmq.RedisQueueBackend): Promise<void> {
  const client = await backend.client as unknown as Client
  if (client.options.reconnectOnError?.(error)) client.disconnect(true)
}

/** Stops further attempts to connect, and waits for the present ones. Resolves to whether all connections are open. */
export async function settleConnections (backend: Bullmq.RedisQueueBackend): Promise<boolean> {
  const clients = await clientsOf(backend)
  await Promise.all(clients.map(async (client) => {
    client.options.retryStrategy = null
    // If the client disconnected now, its commands and the timers of BullMQ for them would never end.
    if (client.status !== 'ready' && client.status !== 'end') await Promise.race([once(client, 'ready'), once(client, 'end')]).catch(() => {})
  }))
  return await areConnected(backend)
}

/** Cuts connections that cannot be closed in good order. */
export async function cutConnections (backend: Bullmq.RedisQueueBackend): Promise<void> {
  for (const client of await clientsOf(backend)) client.disconnect()
}
