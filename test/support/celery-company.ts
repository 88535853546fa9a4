import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { buildCeleryApp } from '../../examples/celery/app.js'
import type { CeleryEngineOptions } from '../../examples/celery/celery-engine.js'
import { CeleryWorker, Feeds, type WorkerOptions, withoutCelery } from './celery.js'
import { RabbitmqServer, withoutRabbitmq } from './rabbitmq.js'
import { RedisServer, withoutRedis } from './redis.js'
import { Wire } from './wire.js'

export type CeleryApp = Awaited<ReturnType<typeof buildCeleryApp>>

interface Broker {
  port: number
  urlOf: (port: number) => string
  /** Makes the queue, as the first worker does. */
  makeQueue: () => Promise<void>
  /** How many messages no worker has taken. */
  countMessages: () => Promise<number>
  stop: () => Promise<void>
}

const redisUrl = (port: number): string => `redis://127.0.0.1:${port}/0`

function redisBroker (redis: RedisServer, queue: string): Broker {
  return {
    port: redis.port,
    urlOf: redisUrl,
    async makeQueue () {},
    countMessages: () => redis.ask((client) => client.llen(queue)),
    async stop () {}
  }
}

async function rabbitmqBroker (queue: string, exchange: string): Promise<Broker> {
  const rabbitmq = await RabbitmqServer.start()
  return {
    port: rabbitmq.port,
    urlOf: (port) => `amqp://guest:guest@127.0.0.1:${port}`,
    makeQueue: () => rabbitmq.ask(async (connection) => { await connection.queueDeclare({ queue, durable: true }) }),
    countMessages: () => rabbitmq.ask(async (connection) => (await connection.queueDeclare({ queue, passive: true })).messageCount),
    async stop () {
      await rabbitmq.ask(async (connection) => {
        await connection.queueDelete(queue)
        for (const name of [exchange, queue]) await connection.exchangeDelete({ exchange: name })
      })
      await rabbitmq.stop()
    }
  }
}

export type BrokerName = 'Redis' | 'RabbitMQ'

/** tap's `skip` option for tests of a company. */
export function withoutCompany (name: BrokerName): string | false {
  return withoutCelery || withoutRedis || (name === 'RabbitMQ' && withoutRabbitmq)
}

/** A broker, a Redis for results, and the supplier. Web processes reach the first two by wires, which a test may cut. */
export interface Company {
  broker: Broker
  redis: RedisServer
  feeds: Feeds
  brokerWire: Wire
  resultsWire: Wire
  workers: WorkerOptions
  web: CeleryEngineOptions
  openApp: (more?: Partial<CeleryEngineOptions>) => Promise<CeleryApp>
  startWorker: (more?: Partial<WorkerOptions>) => Promise<CeleryWorker>
}

export async function openCompany (t: Test, name: BrokerName): Promise<Company> {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  // The broker may be that of the machine.
  const queue = `test-${randomUUID()}`
  const broker = name === 'Redis' ? redisBroker(redis, queue) : await rabbitmqBroker(queue, `${queue}.pidbox`)
  t.teardown(() => broker.stop())
  const feeds = await Feeds.start(t)
  const [brokerWire, resultsWire] = [await Wire.to(broker.port), await Wire.to(redis.port)]
  t.teardown(() => {
    brokerWire.close()
    resultsWire.close()
  })
  const names = { queue, controlExchange: queue }
  const web = { broker: broker.urlOf(brokerWire.port), results: redisUrl(resultsWire.port), ...names }
  const workers = { broker: broker.urlOf(broker.port), results: redisUrl(redis.port), feeds: feeds.url, ...names }
  return {
    broker,
    redis,
    feeds,
    brokerWire,
    resultsWire,
    workers,
    web,
    async openApp (more) {
      const app = await buildCeleryApp({ celery: { ...web, ...more } })
      t.teardown(() => app.close())
      await app.ready()
      return app
    },
    startWorker: (more) => CeleryWorker.start(t, { ...workers, ...more })
  }
}
