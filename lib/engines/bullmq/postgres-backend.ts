import type * as Bullmq from 'bullmq'
import type { BullmqModule } from './module.js'
import { freeKeysOfEnded } from './postgres-keys.js'
import { failMarked } from './records.js'

/** The private members of a connection that are used here. `readyPromise` keeps the outcome of the first opening for ever. */
interface Opening {
  readyPromise?: Promise<void> | undefined
  waitUntilReady: () => Promise<void>
}

interface Connection extends Opening, NodeJS.EventEmitter {
  pool: NodeJS.EventEmitter
  /** Undefined until the connection begins to close. */
  isClosing: unknown
  getListenClient: () => Promise<unknown>
}

/** The private members of a backend that are used here. The backend subscribes to events once, and then waits for each event. */
interface Listening {
  ensureListeningEvents: () => Promise<unknown>
}

const connected = new WeakSet<object>()

/** Whether a backend has ever been connected. A worker may have a task before it says that it is ready. */
export function hasConnected (backend: object): boolean {
  return connected.has(backend)
}

/** The PostgreSQL backend of BullMQ with two changes: it waits for a PostgreSQL that starts late, and closes at once. */
export function postgresBackend (bullmq: BullmqModule): Bullmq.BackendFactory<any, any> {
  return (name, options, more) => {
    const backend = bullmq.createPostgresBackend(name, options, more)
    failMarked(backend)
    freeKeysOfEnded(backend)
    const { connection } = backend as unknown as { connection: Connection }
    const pool = isPool(options.connection) ? options.connection : undefined
    guard(connection)
    const { getListenClient } = connection
    connection.getListenClient = async () => {
      // A client that is lent after this would never be released, and the pool of the user would never end.
      if (connection.isClosing !== undefined) throw new Error('the connection is closed')
      return await getListenClient.call(connection)
    }
    for (const opening of [connection, backend as unknown as Opening]) {
      const open = opening.waitUntilReady.bind(opening)
      opening.waitUntilReady = async () => {
        if (opening.readyPromise === undefined && pool !== undefined) await migrate(bullmq, pool)
        await open().catch((error) => {
          opening.readyPromise = undefined
          throw error
        })
        connected.add(backend)
      }
    }
    const { readEvents, disconnect } = backend
    let isListening = false
    backend.readEvents = async (...args) => {
      isListening = true
      return await readEvents.apply(backend, args)
    }
    backend.disconnect = async () => {
      // `disconnect` does not end a wait for events that is still starting. Its timer would keep the process alive for 5 seconds.
      if (isListening) await (backend as unknown as Listening).ensureListeningEvents().catch(() => {})
      await disconnect.call(backend)
    }
    return backend
  }
}

const guarded = new WeakSet<object>()

/** Keeps errors of idle and lent clients from ending the process. The query of a lent client rejects all the same. */
function guard (connection: Connection): void {
  const { pool } = connection
  // BullMQ itself would leave its listener on the pool of the user.
  const own = pool.listeners('error').at(-1) as () => void
  connection.once('close', () => { pool.off('error', own) })
  if (!guarded.has(pool)) {
    guarded.add(pool)
    pool.on('connect', (client) => { client.on('error', () => {}) })
    pool.on('error', () => {})
  }
}

/** The connection options for BullMQ. With `migrate`, BullMQ makes and updates its tables when it opens a connection of its own. */
export function postgresOptions (postgres: Bullmq.PostgresConnectionOptions): Bullmq.PostgresConnectionOptions {
  if (typeof postgres === 'string') return { connectionString: postgres, migrate: true }
  return isPool(postgres) ? postgres : { migrate: true, ...postgres }
}

/** Makes the tables of BullMQ through the pool of the user. BullMQ itself does not migrate such a pool. */
async function migrate (bullmq: BullmqModule, pool: Bullmq.PgPool): Promise<void> {
  const client = await pool.connect()
  try {
    await bullmq.runMigrations(client)
  } finally {
    client.release()
  }
}

function isPool (postgres: unknown): postgres is Bullmq.PgPool {
  return typeof postgres === 'object' && postgres !== null && 'connect' in postgres
}
