import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { UnrecoverableError, Worker } from 'bullmq'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions, defineTask } from '../../index.js'
import { type BullmqEngine, type BullmqEngineOptions, bullmqEngine } from '../../lib/bullmq.mjs'
import { backoffOf } from '../../lib/engines/bullmq/runner.js'
import { StoreErrors } from '../../lib/engines/bullmq/store-errors.js'
import { Rig, task } from '../../lib/engines/conformance/rig.js'
import { useFakeClock } from '../support/clock.js'
import { type Log, createLog } from '../support/log.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { freePort } from '../support/server-process.js'
import { until } from '../support/until.js'

async function createRig (t: Test, options: BullmqEngineOptions): Promise<Rig> {
  const rig = new Rig(bullmqEngine(options))
  t.teardown(() => rig.close())
  return rig
}

t.test('who is told soon that there is no store', async (t) => {
  /** Where nobody listens, which PostgreSQL's client tells at once and for good: only we try again. */
  const createHopeless = async (): Promise<BullmqEngine> => bullmqEngine({ postgres: `postgres://127.0.0.1:${await freePort()}/none` })

  async function start (t: Test): Promise<{ log: Log, close: () => Promise<void> }> {
    const log = createLog('error')
    const app = Fastify({ logger: log.logger })
    t.teardown(() => app.close())
    const engine = await createHopeless()
    await app.register(backgroundTasks, { engine, tasks: [defineTask({ name: 'note', payload: {}, handler () {} })], closeTimeout: 0 })
    await app.ready()
    return { log, close: async () => { await app.close() } }
  }
  const timers = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length

  t.test('an engine closes before it is told', async (t) => {
    const log = createLog('error')
    const rig = new Rig(await createHopeless())
    await rig.start(undefined, { log: Fastify({ logger: log.logger }).log })
    await rig.engine.close()
    await until(() => timers() === 0, 1000)
    t.same(log.lines, [])
  })

  t.test('an app closes while its engine waits to try again', async (t) => {
    const { log, close } = await start(t)
    await until(() => log.lines.length > 0)
    await close()
    // A worker of BullMQ that lost its connection waits for five seconds before it sees that it is closed.
    await until(() => timers() === 0, 7000)
    t.match(log.lines, [{ msg: 'background task engine failed' }])
  })
})

t.test('settings that go through to BullMQ', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const { connection } = redis
  const keys = (): Promise<string[]> => redis.ask((client) => client.keys('*'))

  t.test('the keys in Redis begin with bull:background-tasks, or with the prefix and the queue that were given', async (t) => {
    for (const [options, start] of [[{}, 'bull:background-tasks:'], [{ prefix: 'shop', queue: 'mail' }, 'shop:mail:']] as const) {
      await redis.ask((client) => client.flushall())
      const rig = await createRig(t, { connection, ...options })
      await rig.start()
      const stored = task()
      await rig.engine.add([stored])
      await rig.end(stored.id)
      const found = await keys()
      t.ok(found.includes(start + stored.id))
      t.same(found.filter((key) => !key.startsWith(start)), [])
    }
  })

  t.test('limiter, metrics and telemetry reach the worker', async (t) => {
    const spans: string[] = []
    const span = { setSpanOnContext: (context: unknown) => context, addEvent () {}, setAttribute () {}, setAttributes () {}, recordException () {}, end () {} }
    const engine = bullmqEngine({
      connection,
      queue: 'settings',
      // One task, and the next when the test is long over.
      limiter: { max: 1, duration: 600_000 },
      metrics: { maxDataPoints: 60 },
      telemetry: {
        tracer: {
          startSpan (name) {
            spans.push(name)
            return span
          }
        },
        contextManager: {
          with: (context, fn) => fn(),
          active: () => undefined,
          getMetadata: () => '',
          fromMetadata: () => undefined
        }
      }
    })
    const rig = new Rig(engine)
    t.teardown(() => rig.close())
    await rig.start()
    const [first, second] = [task(), task()]
    await engine.add([first])
    await rig.end(first.id)
    await engine.add([second])
    t.equal((await engine.queue.getMetrics('completed')).meta.count, 1)
    t.ok(await engine.queue.getRateLimitTtl(1) > 0)
    t.equal((await engine.get(second.id))?.state, 'waiting')
    t.ok(spans.some((name) => name.startsWith('process settings')), spans.join(', '))
  })
})

t.test('a queue that others use too', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const { connection } = redis

  t.test('a task that another program has failed shows its reason', async (t) => {
    const rig = await createRig(t, { connection, queue: 'foreign' })
    const stored = task()
    await rig.engine.add([stored])
    const worker = new Worker('foreign', async () => { throw new UnrecoverableError('not mine') }, { connection })
    await rig.end(stored.id)
    await worker.close()
    t.match(await rig.engine.get(stored.id), { state: 'failed', error: { name: 'Error', message: 'not mine' } })
  })

  t.test('a result that another program has returned is shown as it is', async (t) => {
    const rig = await createRig(t, { connection, queue: 'foreign-results' })
    const results = [{ value: 1, unit: 'm' }, ['value'], 'text', 0, false]
    const worker = new Worker('foreign-results', async ({ data }) => results[data.payload.index], { connection })
    for (const [index, result] of results.entries()) {
      const stored = task({ payload: { index } })
      await rig.engine.add([stored])
      t.strictSame((await rig.end(stored.id)).result, result)
    }
    await worker.close()
  })

  t.test('jobs that another part of the program adds belong to their parent: those of a batch and one that joins it', async (t) => {
    const engine = bullmqEngine({ connection, queue: 'parents' })
    t.teardown(() => engine.close())
    const { queue } = engine
    const parent = await queue.add('parent', { payload: {} })
    const { name, data, opts } = { name: 'child', data: { payload: {} }, opts: { parent: { id: parent.id!, queue: queue.qualifiedName } } }
    const batch = queue.addBulk([{ name, data, opts }, { name, data, opts }])
    // The batch is due in this turn, and has not been sent.
    await new Promise<void>((resolve) => { process.nextTick(resolve) })
    await Promise.all([batch, queue.add(name, data, opts)])
    t.match(await parent.getDependenciesCount(), { unprocessed: 3 })
  })

  t.test('a batch is refused with the reason of Redis when a key of the queue holds something else', async (t) => {
    const rig = await createRig(t, { connection, queue: 'broken' })
    await rig.engine.add([task()])
    await redis.ask((client) => client.set('bull:broken:wait', 'text'))
    await t.rejects(rig.engine.add([task(), task()]), { message: /WRONGTYPE/ })
  })
})

t.test('an app that cannot get a connection', async (t) => {
  const note = defineTask({ name: 'note', payload: {}, handler () {} })

  /** Gives the status and what the log says of the cause, of which the client reads nothing. */
  async function post (t: Test, connection: object, options: BackgroundTasksOptions = {}): Promise<[number, string]> {
    const app = Fastify()
    t.teardown(() => app.close())
    const engine = bullmqEngine({ connection })
    await app.register(backgroundTasks, { engine, tasks: [note], closeTimeout: 0, ...options })
    app.post('/', async (request) => {
      request.backgroundTasks.add(note, {})
      return {}
    })
    let reason = ''
    app.addHook('onError', async (request, reply, error) => { reason = (error.cause as Error).message })
    const response = await app.inject({ method: 'POST', url: '/' })
    await app.close()
    t.equal(response.json().message, 'background tasks could not be stored')
    return [response.statusCode, reason]
  }

  t.test('says why as soon as it knows that there will be none', async (t) => {
    // Takes connections and says nothing.
    const server = createServer((socket) => { socket.on('error', () => {}) }).listen(0, '127.0.0.1')
    t.teardown(() => { server.close() })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const [status, reason] = await post(t, { host: '127.0.0.1', port })
    t.equal(status, 503)
    t.match(reason, /^no answer within \d+(\.\d+)? ms$/)
  })

  t.test('closes at once while Redis refuses its password', { skip: withoutRedis }, async (t) => {
    const redis = await RedisServer.start('--requirepass', 'right')
    t.teardown(() => redis.stop())
    const [status, reason] = await post(t, { ...redis.connection, password: 'wrong' })
    t.equal(status, 503)
    t.match(reason, /WRONGPASS/)
  })
})

t.test('trouble of one kind is mentioned once a minute, and only where there is a log', async (t) => {
  const tick = useFakeClock(t)
  const log = createLog('error')
  const errors = new StoreErrors()
  errors.report(new Error('too early'))
  errors.log = Fastify({ logger: log.logger }).log
  const messages = (): unknown[] => log.lines.map(({ err }) => (err as Error).message)
  for (const message of ['no room', 'no room', 'connect ECONNREFUSED', 'socket closed']) errors.report(new Error(message))
  t.same(messages(), ['no room', 'connect ECONNREFUSED'])
  tick(59_999)
  errors.report(new Error('no room'))
  t.equal(log.lines.length, 2)
  tick(1)
  errors.report(new Error('no room'))
  t.same(messages(), ['no room', 'connect ECONNREFUSED', 'no room'])
})

t.test('ids and numbers are no part of the kind of what is wrong with a store', async (t) => {
  const log = createLog('error')
  const errors = new StoreErrors()
  errors.log = Fastify({ logger: log.logger }).log
  const [first, second] = [randomUUID(), randomUUID()]
  for (const id of [first, second, 'by-hand', '17']) {
    errors.report(new Error(`could not renew lock for job ${id}`))
    errors.report(new Error(`Missing lock for job ${id}. moveToFinished`))
  }
  for (const text of [`${first} refused after 3 ms`, `${second} refused after 12 ms`]) errors.report(new Error(text))
  t.same(log.lines.map(({ err }) => (err as Error).message), [
    `could not renew lock for job ${first}`, `Missing lock for job ${first}. moveToFinished`, `${first} refused after 3 ms`
  ])
})

t.test('a job that could not be handed back to the store runs again at once', async (t) => {
  t.equal(backoffOf(new Error('Missing lock for job')), 0)
})
