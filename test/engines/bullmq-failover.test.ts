import t, { type Test } from 'tap'
import { defineTask } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { redisOptions } from '../../lib/engines/bullmq/redis-backend.js'
import { createApp } from '../support/app.js'
import { MovingName } from '../support/moving-name.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

/** Makes the second server the primary, and the first its replica, whose connections stay open. */
async function failOver (primary: RedisServer, replica: RedisServer): Promise<void> {
  await replica.ask(async (client) => { await client.call('REPLICAOF', 'NO', 'ONE') })
  await primary.ask(async (client) => { await client.call('REPLICAOF', replica.host, String(replica.port)) })
}

async function startPair (t: Test): Promise<[primary: RedisServer, replica: RedisServer]> {
  const primary = await RedisServer.start('--repl-diskless-sync-delay', '0')
  const replica = await RedisServer.start('--replicaof', primary.host, String(primary.port), '--repl-diskless-sync-delay', '0')
  t.teardown(() => Promise.all([primary.stop(), replica.stop()]))
  await until(() => replica.ask(async (client) => (await client.info('replication')).includes('master_link_status:up')))
  return [primary, replica]
}

t.test('tasks are stored and run again soon after a Redis has become a replica and its name leads to the new primary', { skip: withoutRedis }, async (t) => {
  const [primary, replica] = await startPair(t)
  const name = await MovingName.start(primary)
  t.teardown(() => { name.close() })
  const ran = new Set<number>()
  const note = defineTask({ name: 'note', payload: {}, handler (n) { ran.add(n as number) } })
  const connection = { host: '127.0.0.1', port: name.port }
  /** A process of its own, as far as connections go. */
  async function start (worker: boolean): Promise<(count: number) => Promise<boolean>> {
    const engine = bullmqEngine({ connection, queue: 'failover' })
    const app = await createApp(t, { tasks: [note], engine, worker })
    app.post('/', async (request) => {
      for (const n of request.body as number[]) request.backgroundTasks.add(note, n)
    })
    await app.ready()
    await engine.queue.waitUntilReady()
    return async (count) => {
      const payload = Array.from({ length: count }, Math.random)
      const { statusCode } = await app.inject({ method: 'POST', url: '/', payload })
      if (statusCode === 200) await until(() => payload.every((n) => ran.has(n)))
      return statusCode === 200
    }
  }
  await start(true)
  // One stores single tasks, one batches: each must notice by itself.
  const webs = [{ post: await start(false), count: 1 }, { post: await start(false), count: 2 }]
  for (const { post, count } of webs) t.equal(await post(count), true)

  await failOver(primary, replica)
  t.equal(await webs[0]!.post(1), false, 'what the replica has not stored is refused')
  name.lead(replica)
  for (const { post, count } of webs) await until(async () => await post(count))
  t.pass('each process is connected to the new primary')
})

t.test("a reconnectOnError of the user's takes the place of ours", async (t) => {
  const readOnly = new Error("READONLY You can't write against a read only replica.")
  const { reconnectOnError } = redisOptions({}, true)
  t.equal(reconnectOnError!(readOnly), true)
  t.equal(reconnectOnError!(new Error('WRONGTYPE Operation against a key')), false)
  const own = (): boolean => false
  t.equal(redisOptions({ reconnectOnError: own }, true).reconnectOnError, own)
})
