import t, { type Test } from 'tap'
import { bullmqEngine, type BullmqEngine, type BullmqEngineOptions } from '../../lib/bullmq.mjs'
import { engineConformance } from '../../lib/testing.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'

type Options = Pick<BullmqEngineOptions, 'connection' | 'postgres'>

/** The suite, each case on a queue of its own. */
function conformance (t: Test, options: Options): void {
  let cases = 0
  async function create (): Promise<BullmqEngine> {
    const engine = bullmqEngine({ ...options, queue: `conformance-${cases}` })
    // An engine refuses tasks that would wait too long for its first connection, as on a busy machine.
    await engine.queue.waitUntilReady()
    return engine
  }
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
