import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import type { Broker } from './broker.js'
import type { CeleryMessage } from './messages.js'

/** A client whose commands fail while Redis is away. They must not be carried out later: their requests have failed. */
export function openRedis (url: string): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: () => 250 })
  // The commands reject with it.
  return redis.on('error', () => {})
}

/** The broker `redis://`: a list for each queue, and PUBLISH for what all workers hear. */
export function redisBroker (url: string, queue: string, controlExchange: string): Broker {
  const redis = openRedis(url)
  return {
    // One command stores all messages or none.
    async send (messages) {
      await redis.lpush(queue, ...messages.map((message) => envelope(message, '', queue)))
    },

    async broadcast (message) {
      return await redis.publish(`/${redis.options.db ?? 0}.${controlExchange}`, envelope(message, controlExchange, '')) > 0
    },

    async close () { redis.disconnect() }
  }
}

/** A message of Redis has no properties: Kombu, the messaging library of Celery, puts all into one JSON object. */
function envelope ({ id, headers, body }: CeleryMessage, exchange: string, routingKey: string): string {
  return JSON.stringify({
    body: Buffer.from(JSON.stringify(body)).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers,
    properties: {
      body_encoding: 'base64',
      correlation_id: id,
      delivery_info: { exchange, routing_key: routingKey },
      delivery_mode: 2,
      delivery_tag: randomUUID(),
      priority: 0,
      reply_to: ''
    }
  })
}
