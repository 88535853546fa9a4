import t, { type Test } from 'tap'
import { bullmqEngine, type BullmqEngineOptions } from '../lib/bullmq.mjs'
import { engineConformance } from '../lib/testing.js'
import { PostgresServer, withoutPostgres } from './support/postgres.js'
import { RedisServer, withoutRedis } from './support/redis.js'

type Options = Pick<BullmqEngineOptions, 'connection' | 'postgres'>

/** The suite, each case on a queue of its own. */
function conformance (t: Test, options: Options): void {
  let cases = 0
  const create = (): ReturnType<typeof bullmqEngine> => bullmqEngine({ ...options, queue: `conformance-${cases}` })
  for (const { name, run } of engineConformance(create, { shared: true })) {
    t.test(name, async () => {
      cases++
      await run()
    })
  }
}

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  conformance(t, { connection: redis.connection })
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  conformance(t, { postgres: postgres.connectionString })
})
