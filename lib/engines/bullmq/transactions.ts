import type * as Bullmq from 'bullmq'
import type { TransactionClient } from '../../../types/index.js'
import { describe } from '../../errors.js'

/** The schema in which the connections of BullMQ find its functions. A pool of the user may have any search path. */
const FIND_SCHEMA = `
SELECT quote_ident(nspname) AS schema
  FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
 WHERE proname = 'add_job' AND pg_function_is_visible(pg_proc.oid)`

/** The place in front of the call of a function with which BullMQ stores jobs. */
const CALL = /\b(?=add_\w+\()/

type Query = TransactionClient['query']

/** Stores jobs through clients of the user, each in the transaction that its client is in. */
export class Transactions {
  readonly #queue: Bullmq.Queue
  #schema: Promise<string> | undefined

  constructor (queue: Bullmq.Queue) {
    this.#queue = queue
  }

  /**
   * Finds the schema. A transaction that waits for a connection of the pool would wait in vain if other transactions have all
   * connections and wait too. The schema is therefore known before the first transaction.
   */
  open (): Promise<string> {
    return (this.#schema ??= this.#findSchema().catch((error) => {
      this.#schema = undefined
      throw error
    }))
  }

  /**
   * The queue as seen from a transaction: `add` and `addBulk` send their one statement through the client. The functions of
   * BullMQ have a search path of their own. Only the call names the schema, and the connection of the client stays as it is.
   */
  async queueIn (client: TransactionClient): Promise<Bullmq.Queue> {
    const schema = await this.open()
    const query: Query = async (text, values) => {
      if (!CALL.test(text)) throw new Error(`BullMQ stores jobs by a statement that is not known here: ${text}`)
      const answer: unknown = await client.query(text.replace(CALL, `${schema}.`), values)
      if (hasRows(answer)) return answer
      throw new Error(`the query of the client must resolve to an object with an array "rows", received ${describe(answer)}`)
    }
    const backend = Object.create(this.#queue.getBackend(), { query: { value: query } })
    return Object.create(this.#queue, { backend: { value: backend } })
  }

  async #findSchema (): Promise<string> {
    const { rows: [found] } = await (this.#queue.getBackend() as unknown as { query: Query }).query(FIND_SCHEMA, [])
    if (found === undefined) throw new Error('the functions of BullMQ are not in the search path of its connections')
    return found.schema
  }
}

function hasRows (answer: unknown): answer is { rows: unknown[] } {
  return Array.isArray((answer as { rows?: unknown } | undefined)?.rows)
}
