import t from 'tap'
import { bullmqConformance } from '../support/conformance.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'

// Two suites of some twenty cases with real stores: 25 seconds on a busy machine.
t.setTimeout(120_000)

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  bullmqConformance(t, redis.port, (port) => ({ connection: { ...redis.connection, port } }))
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  const url = new URL(postgres.connectionString)
  bullmqConformance(t, Number(url.port), (port) => {
    url.port = String(port)
    return { postgres: url.href }
  })
})
