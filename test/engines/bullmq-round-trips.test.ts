import Fastify from 'fastify'
import t from 'tap'
import backgroundTasks, { defineTask } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { task } from '../../lib/engines/conformance/rig.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { nextTurn } from '../support/turns.js'
import { Wire } from '../support/wire.js'

/** The names of the commands in what was sent to Redis. */
function commandsIn (sent: string): string[] {
  return [...sent.matchAll(/\*\d+\r\n\$\d+\r\n([a-z]+)\r\n/gi)].map(([, name]) => name!.toLowerCase())
}

const stored = (count: number): string[] => ['multi', ...Array<string>(count).fill('evalsha'), 'exec']

t.test('what is stored in Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const wire = await Wire.to(redis.port)
  t.teardown(() => { wire.close() })
  const connection = { host: '127.0.0.1', port: wire.port }

  t.test('the tasks of one request take one round trip and one transaction', async (t) => {
    const note = defineTask({ name: 'note', payload: { type: 'object' }, handler: () => {} })
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(backgroundTasks, { tasks: [note], engine: bullmqEngine({ connection, queue: 'request' }), worker: false })
    app.get('/:count', async (req) => {
      const { count } = req.params as { count: string }
      for (let n = 0; n < Number(count); n++) req.backgroundTasks.add(note, { n })
      return {}
    })
    // Redis gets the script itself the first time.
    await app.inject('/1')
    wire.sent.length = 0
    await app.inject('/5')
    t.same(wire.sent.map(commandsIn), [stored(5)])
    wire.sent.length = 0
    await app.inject('/1')
    t.same(wire.sent.map(commandsIn), [['evalsha']], 'a single task needs no transaction')
    wire.sent.length = 0
    await app.inject('/0')
    t.same(wire.sent, [])
  })

  t.test('what one turn of the event loop stores comes to Redis in one piece', async (t) => {
    const engine = bullmqEngine({ connection: redis.connection, queue: 'piece' })
    t.teardown(() => engine.close())
    await engine.add([task()])
    await redis.ask(async (client) => {
      const reads = async (): Promise<number> => Number(/total_reads_processed:(\d+)/.exec(await client.info('stats'))![1])
      const before = await reads()
      // Ten callbacks of one turn.
      await Promise.all(Array.from({ length: 10 }, () => nextTurn().then(() => engine.add([task()]))))
      t.equal(await reads() - before, 2, 'one for all the tasks, one for the question')
    })
  })

  t.test('requests of one turn of the event loop share their round trip', async (t) => {
    const engine = bullmqEngine({ connection, queue: 'turn' })
    t.teardown(() => engine.close())
    const batch = [task(), task()]
    await engine.add([batch[0]!])
    wire.sent.length = 0

    const singles = [task(), task(), task()]
    await Promise.all(singles.map((one) => engine.add([one])))
    t.same(wire.sent.map(commandsIn), [['evalsha', 'evalsha', 'evalsha']])
    wire.sent.length = 0

    const batches = [[task(), task()], [task()], [task(), task(), task()]]
    const ids = await Promise.all(batches.map((tasks) => engine.add(tasks)))
    t.same(ids, batches.map((tasks) => tasks.map(({ id }) => id)), 'each gets its own answers')
    t.same(wire.sent.map(commandsIn), [stored(6)])
  })
})
