import type * as Bullmq from 'bullmq'
import type { TransactionClient } from '../../../types/index.js'

/** Changes the search path for the rest of the transaction, and returns the search path before. Without a transaction nothing changes. */
const ENTER = `
WITH before AS MATERIALIZED (SELECT current_setting('search_path') AS path)
SELECT path, set_config('search_path', $1, true) FROM before`

const LEAVE = "SELECT set_config('search_path', $1, true)"

/** PostgreSQL's code for a function that the search path does not lead to. */
const UNDEFINED_FUNCTION = '42883'

type Query = (text: string, values: unknown[]) => Promise<{ rows: any[] }>

/** Stores jobs in transactions of the user. */
export class Transactions {
  readonly #queue: Bullmq.Queue
  /** The search path of the connections of BullMQ. */
  #path: string | undefined

  constructor (queue: Bullmq.Queue) {
    this.#queue = queue
  }

  /** Stores all jobs in one statement, and sets the search path of the client back. */
  async add (jobs: Parameters<Bullmq.Queue['addBulk']>[0], client: TransactionClient): Promise<Bullmq.Job[]> {
    this.#path ??= await this.#findPath()
    const { rows: [{ path }] } = await client.query(ENTER, [this.#path])
    const added = queueOn(this.#queue, (text, values) => client.query(text, values)).addBulk(jobs).catch(explain)
    // In a transaction that has failed the rollback sets the search path back.
    return await added.finally(() => client.query(LEAVE, [path]).catch(() => {}))
  }

  async #findPath (): Promise<string> {
    const backend = this.#queue.getBackend() as unknown as { query: Query }
    const { rows: [{ path }] } = await backend.query("SELECT current_setting('search_path') AS path", [])
    return path
  }
}

function explain (cause: Error & { code?: unknown }): never {
  throw cause.code === UNDEFINED_FUNCTION ? new Error('the client must be in a transaction', { cause }) : cause
}

/** The same queue, but its statements go through `query`. BullMQ stores jobs by one call of `query` of its backend. */
function queueOn (queue: Bullmq.Queue, query: Query): Bullmq.Queue {
  const backend = Object.create(queue.getBackend(), { query: { value: query } })
  return Object.create(queue, { backend: { value: backend } })
}
