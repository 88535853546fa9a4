import type * as Bullmq from 'bullmq'
import type { BullmqModule } from './module.js'
import { freeKeysOfEnded } from './postgres-keys.js'
import { failMarked } from './records.js'

/** What we use of a connection's inside: it keeps the outcome of its first attempt to open for ever. */
interface Opening {
  readyPromise?: Promise<void> | undefined
  waitUntilReady: () => Promise<void>
}

interface Connection extends Opening, NodeJS.EventEmitter {
  pool: NodeJS.EventEmitter
  /** Undefined until it begins to close. */
  isClosing: unknown
  getListenClient: () => Promise<unknown>
}

/** What we use of a backend's inside: it subscribes to events once, and then waits for each. */
interface Listening {
  ensureListeningEvents: () => Promise<unknown>
}

/** BullMQ's backend for PostgreSQL, except that it opens late if PostgreSQL starts late, and closes at once. */
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
      // Nobody would give back a client that is lent from now on, and the pool of a user never end.
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
      }
    }
    const { readEvents, disconnect } = backend
    let isListening = false
    backend.readEvents = async (...args) => {
      isListening = true
      return await readEvents.apply(backend, args)
    }
    backend.disconnect = async () => {
      // A wait for events that has not quite begun would not be ended, and its timer keep the process alive for 5 seconds.
      if (isListening) await (backend as unknown as Listening).ensureListeningEvents().catch(() => {})
      await disconnect.call(backend)
    }
    return backend
  }
}

const guarded = new WeakSet<object>()

/** Keeps errors of idle and of lent clients from ending the process; the query of a lent one rejects all the same. */
function guard (connection: Connection): void {
  const { pool } = connection
  // BullMQ would leave its listener on a pool of the user's.
  const own = pool.listeners('error').at(-1) as () => void
  connection.once('close', () => { pool.off('error', own) })
  if (!guarded.has(pool)) {
    guarded.add(pool)
    pool.on('connect', (client) => { client.on('error', () => {}) })
    pool.on('error', () => {})
  }
}

/** What BullMQ takes: its tables are to be made and kept up to date when a connection of its own opens. */
export function postgresOptions (postgres: Bullmq.PostgresConnectionOptions): Bullmq.PostgresConnectionOptions {
  if (typeof postgres === 'string') return { connectionString: postgres, migrate: true }
  return isPool(postgres) ? postgres : { migrate: true, ...postgres }
}

/** Makes BullMQ's tables in a pool of the user's, which BullMQ itself leaves as it is. */
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
