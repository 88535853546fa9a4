import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Connection, type Envelope, type Publisher } from 'rabbitmq-client'
import type { Broker } from './broker.js'
import type { CeleryMessage } from './messages.js'

/** The broker `amqp://`. */
export function rabbitmqBroker (url: string, queue: string, controlExchange: string): Broker {
  // A request that has to wait longer than a second for a connection fails.
  const connection = new Connection({ url, acquireTimeout: 1000, retryLow: 250, retryHigh: 1000 })
  // The messages reject with it.
  connection.on('error', () => {})
  const tasks = new Confirmed(connection)
  // On a channel of its own, which RabbitMQ closes if no worker has ever made the exchange.
  const control = new Confirmed(connection)

  return {
    async send (messages) {
      const taken = await Promise.all(messages.map((message) => tasks.publish({ routingKey: queue, durable: true }, message)))
      if (taken.includes(false)) throw new Error(`there is no queue ${queue}: the first worker makes it`)
    },

    async broadcast (message) {
      return await control.publish({ exchange: controlExchange }, message).catch((error) => {
        if (error.code === 'NOT_FOUND') return false
        throw error
      })
    },

    async close () {
      await Promise.all([tasks.close(), control.close()])
      await connection.close()
    }
  }
}

/** Publishes messages that RabbitMQ confirms. */
class Confirmed {
  readonly #publisher: Publisher
  readonly #returned = new Set<string | undefined>()

  constructor (connection: Connection) {
    this.#publisher = connection.createPublisher({ confirm: true })
    this.#publisher.on('basic.return', ({ messageId }) => { this.#returned.add(messageId) })
  }

  /** Resolves to whether a queue has the message: RabbitMQ confirms a message without a queue too, after it has returned it. */
  async publish (envelope: Envelope, { id, headers, body }: CeleryMessage): Promise<boolean> {
    const messageId = randomUUID()
    await this.#publisher.send({
      ...envelope, headers, messageId, correlationId: id, mandatory: true, contentType: 'application/json', contentEncoding: 'utf-8'
    }, Buffer.from(JSON.stringify(body)))
    // The client tells of a returned message one turn late.
    await nextTurn()
    return !this.#returned.delete(messageId)
  }

  async close (): Promise<void> {
    await this.#publisher.close()
  }
}
