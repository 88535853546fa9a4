import { RedisConnection, createIORedisClient } from 'bullmq'
import { Cluster } from 'ioredis'
import t from 'tap'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { task } from '../../lib/engines/conformance/rig.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

t.test('with a client factory of BullMQ tasks are stored in a Redis Cluster, one by one and in batches', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')
  t.teardown(() => redis.stop())
  await redis.ask((client) => client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383'))
  await until(() => redis.ask(async (client) => (await client.cluster('INFO')).includes('cluster_state:ok')))
  t.teardown(() => { delete RedisConnection.clientFactory })
  RedisConnection.clientFactory = () => createIORedisClient(new Cluster([redis.connection], { redisOptions: { maxRetriesPerRequest: null } }))

  const engine = bullmqEngine({ connection: redis.connection, prefix: '{tasks}' })
  t.teardown(() => engine.close())
  // A busy machine may need longer for the first connection than an engine lets a request wait.
  await engine.queue.waitUntilReady()
  const batches = [[task()], [task(), task()]]
  for (const tasks of batches) {
    t.same(await engine.add(tasks), tasks.map(({ id }) => id))
    for (const { id } of tasks) t.match(await engine.get(id), { id, state: 'waiting' })
  }
})
