import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { completed, latch, task } from '../../lib/engines/conformance/rig.js'
import { taskRoutes } from '../../lib/routes.js'
import { openRig, startHeld } from '../support/bullmq-rig.js'
import { EventClient } from '../support/event-client.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

// Its waits for what is to be seen add up to 40 seconds on a busy machine.
t.setTimeout(120_000)

const unknown = '7f7a8a10-18d0-4cff-8e82-2bf128d80538'
const kilobyte = 1024
const filling = 'x'.repeat(200 * kilobyte)

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const { connection } = redis

  /** How many connections listen to events. */
  const listening = (): Promise<number> => redis.ask(async (client) => String(await client.client('LIST')).split('cmd=xread').length - 1)
  async function createWeb (t: Test, options: BackgroundTasksOptions = {}): Promise<{ app: FastifyInstance, engine: ReturnType<typeof bullmqEngine> }> {
    const engine = bullmqEngine({ connection, queue: t.name.replace(/\W/g, '-') })
    const app = Fastify({ forceCloseConnections: true })
    t.teardown(() => app.close())
    await app.register(backgroundTasks, { engine, worker: false, storeTimeout: 500, ...options })
    await app.register(taskRoutes, { prefix: '/tasks' })
    await app.ready()
    await engine.queue.waitUntilReady()
    return { app, engine }
  }

  t.test('a process listens to events from the first stream to the last, and not for an unknown id', async (t) => {
    const { app, engine } = await createWeb(t)
    t.equal((await app.inject(`/tasks/${unknown}/events`)).statusCode, 404)
    t.equal(await listening(), 0)
    for (const round of [1, 2]) {
      const stored = task({ delay: 600_000 })
      await engine.add([stored])
      const clients = [await EventClient.open(app, `/tasks/${stored.id}/events`), await EventClient.open(app, `/tasks/${stored.id}/events`)]
      await until(async () => await listening() === 1)
      clients.pop()!.hangUp()
      t.match(await clients[0]!.next(), { data: { state: 'delayed' } })
      t.equal(await engine.cancel(stored.id), true)
      t.match((await clients[0]!.rest()).at(-1), { data: { state: 'cancelled' } }, `round ${round}`)
      await until(async () => await listening() === 0)
    }
  })

  t.test('a process that closes just after the last stream closes in good order', async (t) => {
    const { app, engine } = await createWeb(t)
    const stored = task({ delay: 600_000 })
    await engine.add([stored])
    const end = engine.watch(stored.id, () => {})
    await until(async () => await listening() === 1)
    end()
    await until(async () => await listening() === 0)
    await app.close()
    t.equal(await listening(), 0)
  })

  t.test('a task that runs, and one that is watched, are looked at without their payloads', async (t) => {
    const { engine, rig } = await openRig(t, { connection })
    const { goOn } = await startHeld(rig, task({ payload: filling }))
    const waiting = task({ payload: filling })
    await engine.add([waiting])
    const ends = Array.from({ length: 200 }, () => engine.watch(waiting.id, () => {}))
    await redis.ask(async (client) => {
      await client.config('RESETSTAT')
      let info = ''
      let own = 0
      const numberOf = (pattern: RegExp): number => Number(pattern.exec(info)?.[1] ?? 0)
      await until(async () => {
        own += info.length
        info = await client.info('commandstats', 'stats')
        // A look a second, and BullMQ's own.
        return numberOf(/cmdstat_evalsha:calls=(\d+)/) >= 10
      })
      const bytes = numberOf(/total_net_output_bytes:(\d+)/) - own
      t.ok(bytes < 50 * kilobyte, `${bytes} bytes`)
    })
    for (const end of ends) end()
    goOn.open()
    await rig.end(waiting.id)
  })

  t.test('a change whose event is lost is seen all the same', async (t) => {
    const { engine } = await openRig(t, { connection })
    const stored = task()
    await engine.add([stored])
    let changes = 0
    const end = engine.watch(stored.id, () => { changes++ })
    // When the stream is open, and at the first look.
    await until(() => changes === 2)
    await redis.ask((client) => client.hset(`bull:${engine.queue.name}:${stored.id}`, 'progress', '{"value":1}'))
    await until(() => changes === 3)
    t.match(await engine.get(stored.id), { progress: 1 })
    end()
  })

  t.test('who watches all tasks is told now and then, also of changes whose events are lost, until nobody listens', async (t) => {
    const { engine } = await createWeb(t)
    const { engine: other } = await createWeb(t)
    let told = 0
    const end = engine.watchAll(() => { told++ })
    await until(async () => await listening() === 1)
    const before = told
    // Of a promoted job, no event is left.
    const stored = task({ delay: 600_000 })
    await other.add([stored])
    await redis.ask((client) => client.del(engine.queue.toKey('events')))
    await until(() => told > before + 2)
    end()
    await until(async () => await listening() === 0)
    const after = told
    await other.cancel(stored.id)
    t.equal(told, after)
  })

  t.test('nobody is told of changes once the watch is over, also where it ends before the events are there', async (t) => {
    const { engine, rig } = await openRig(t, { connection })
    let changes = 0
    engine.watch(task().id, () => { changes++ })()
    // Its first answer is that of the events, too.
    let isOpen = false
    const end = engine.watch(task().id, () => { isOpen = true })
    await until(() => isOpen)
    end()
    t.equal(changes, 0)
    await rig.close()
  })

  t.test('a task that was taken for lost and runs once more in the same worker can be cancelled', async (t) => {
    const { engine, rig } = await openRig(t, { connection, lockDuration: 1000, stalledInterval: 100 })
    const ends = [latch(), latch()]
    const signals: AbortSignal[] = []
    await rig.start(async (stored, { signal }) => {
      const run = signals.push(signal)
      await Promise.race([ends[run - 1]!.promise, new Promise((resolve) => { signal.addEventListener('abort', resolve) })])
      return completed
    }, { concurrency: 2 })
    const stored = task()
    await engine.add([stored])
    await until(() => signals.length === 1)
    await redis.ask(async (client) => {
      // A worker whose event loop was held for longer than lockDuration has lost its lock.
      await until(async () => {
        await client.del(`bull:${engine.queue.name}:${stored.id}:lock`)
        return signals.length === 2
      })
    })
    ends[0]!.open()
    await until(async () => (await engine.get(stored.id))?.state === 'active')
    t.equal(await engine.cancel(stored.id), true)
    await until(() => signals[1]!.aborted)
    t.equal(signals[1]!.aborted, true)
    await rig.end(stored.id)
  })

  t.test('what another program has written as progress, and is no JSON, is none', async (t) => {
    const { engine } = await openRig(t, { connection })
    const stored = task()
    await engine.add([stored])
    await redis.ask((client) => client.hset(`bull:${engine.queue.name}:${stored.id}`, 'progress', 'half'))
    t.match(await engine.get(stored.id), { state: 'waiting', progress: undefined })
    t.equal(await engine.get('wait'), undefined)
  })

  t.test('a stream outlives an outage of Redis longer than storeTimeout, and goes on when Redis is back', async (t) => {
    const { app, engine } = await createWeb(t)
    const stored = task({ delay: 600_000 })
    await engine.add([stored])
    const client = await EventClient.open(app, `/tasks/${stored.id}/events`)
    t.match(await client.next(), { data: { state: 'delayed' } })
    redis.freeze()
    // Two looks fail meanwhile.
    for (const times of [1, 2]) t.equal((await app.inject(`/tasks/${stored.id}`)).statusCode, 503, `${times} times`)
    redis.thaw()
    await until(async () => await engine.cancel(stored.id).catch(() => false))
    t.match((await client.rest()).at(-1), { event: 'state', data: { state: 'cancelled' } })
  })
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())

  t.test('a store that does not answer is asked once', async (t) => {
    let ticks = 0
    const start = globalThis.setInterval
    t.intercept(globalThis, 'setInterval', {
      value: (tick: () => void, ms: number) => start(() => {
        ticks++
        tick()
      }, ms)
    })
    const { engine } = await openRig(t, { postgres: postgres.connectionString })
    const backend = engine.queue.getBackend() as unknown as { query: () => Promise<never> }
    let asked = 0
    backend.query = async () => {
      asked++
      return await new Promise(() => {})
    }
    const end = engine.watch(unknown, () => {})
    await until(() => ticks === 3)
    t.equal(asked, 1)
    end()
  })

  t.test('a change whose event is lost is seen all the same, and the end of a task that is removed', async (t) => {
    const { engine } = await openRig(t, { postgres: postgres.connectionString })
    const stored = task()
    await engine.add([stored])
    let changes = 0
    const end = engine.watch(stored.id, () => { changes++ })
    await until(() => changes === 2)
    const backend = engine.queue.getBackend() as unknown as { query: (text: string, values: unknown[]) => Promise<unknown> }
    await backend.query('UPDATE job SET progress = $2 WHERE id = $1', [stored.id, '{"value":1}'])
    await until(() => changes === 3)
    t.match(await engine.get(stored.id), { progress: 1 })
    await backend.query('DELETE FROM job WHERE id = $1', [stored.id])
    await until(() => changes === 4)
    t.equal(await engine.get(stored.id), undefined)
    end()
  })
})
