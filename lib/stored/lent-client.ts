import type { TransactionClient } from '../../types/index.js'

/** The client of a transaction as an engine gets it. Once `flush` is over, the client may be in another transaction. */
export class LentClient implements TransactionClient {
  readonly #client: TransactionClient
  #isTakenBack = false

  constructor (client: TransactionClient) {
    this.#client = client
  }

  async query (text: string, values: any[]): Promise<{ rows: any[] }> {
    if (this.#isTakenBack) throw new Error('flush is over, and its client is no longer lent')
    return await this.#client.query(text, values)
  }

  takeBack (): void {
    this.#isTakenBack = true
  }
}
