import { once } from 'node:events'
import Fastify, { type FastifyInstance } from 'fastify'
import { createRequire } from 'node:module'
import t, { type Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions, defineTask } from '../../index.js'
import { bullmqEngine, type BullmqEngineOptions } from '../../lib/bullmq.mjs'
import { taskRoutes } from '../../lib/routes.js'
import { createLatch } from '../support/latch.js'
import { createLog, type Line } from '../support/log.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

t.setTimeout(120_000)

// Without types of its own.
const { Pool } = createRequire(import.meta.url)('pg')

const STORE_TIMEOUT_MS = 400
/** What a busy machine may add to the time of a reply. */
const MARGIN_MS = 1500

interface Setting {
  app: FastifyInstance
  /** Names of the tasks that ran. */
  ran: string[]
  engineLines: () => Line[]
  post: (names?: string[]) => Promise<{ status: number, code?: string, ms: number }>
}

async function setUp (t: Test, store: BullmqEngineOptions, options: BackgroundTasksOptions = {}): Promise<Setting> {
  const ran: string[] = []
  const log = createLog('error')
  const note = defineTask({
    name: 'note',
    payload: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
    handler: async ({ name }) => { ran.push(name) }
  })
  const app = Fastify({ logger: log.logger })
  t.teardown(() => app.close())
  const engine = bullmqEngine({ queue: `outage-${queues++}`, stalledInterval: 1000, lockDuration: 2000, ...store })
  await app.register(backgroundTasks, { tasks: [note], engine, storeTimeout: STORE_TIMEOUT_MS, closeTimeout: 0, ...options })
  await app.register(taskRoutes, { prefix: '/tasks' })
  app.post('/', async (req, reply) => {
    for (const name of req.body as string[]) req.backgroundTasks.add(note, { name })
    return await reply.code(202).send({})
  })
  return {
    app,
    ran,
    engineLines: () => log.lines.filter(({ msg }) => msg === 'background task engine failed'),
    async post (names = ['task']) {
      const startedAt = performance.now()
      const response = await app.inject({ method: 'POST', url: '/', payload: names })
      return { status: response.statusCode, code: response.json().code, ms: performance.now() - startedAt }
    }
  }
}
let queues = 0

/** Posts until a task is stored: a busy machine may need a while for the first connection. */
async function stores ({ post }: Setting): Promise<void> {
  await until(async () => (await post()).status === 202)
}

/** Posts until a task is stored, and waits until it has run. */
async function recovers (t: Test, { post, ran }: Setting): Promise<void> {
  let name = ''
  await until(async () => {
    name = `again-${Math.random()}`
    return (await post([name])).status === 202
  })
  await until(() => ran.includes(name))
  t.pass('tasks are stored and run again')
}

async function refuses (t: Test, { post }: Setting, times = 3): Promise<void> {
  for (const { status, code, ms } of await Promise.all(Array.from({ length: times }, () => post()))) {
    t.equal(status, 503)
    t.equal(code, 'FST_BGT_ENGINE')
    t.ok(ms < STORE_TIMEOUT_MS + MARGIN_MS, `within ${Math.round(ms)} ms`)
  }
}

async function closesSoon (t: Test, app: FastifyInstance): Promise<void> {
  const startedAt = performance.now()
  await app.close()
  const ms = performance.now() - startedAt
  t.ok(ms < 3000 + MARGIN_MS, `closed within ${Math.round(ms)} ms`)
}

/** What has been down was logged once, and all goes on once it is up. */
async function comesBack (t: Test, server: RedisServer | PostgresServer, setting: Setting): Promise<void> {
  t.equal(setting.engineLines().length, 1, 'one log line')
  await server.start()
  await recovers(t, setting)
  await closesSoon(t, setting.app)
}

t.test('Redis out of order', { skip: withoutRedis }, async (t) => {
  const problems: unknown[] = []
  const onProblem = (problem: unknown): void => { problems.push(problem) }
  process.on('unhandledRejection', onProblem)
  t.teardown(() => { process.off('unhandledRejection', onProblem) })
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())

  t.test('replies are 503 while Redis is down, and 202 soon after it is back', async (t) => {
    const setting = await setUp(t, { connection: redis.connection })
    await stores(setting)
    await redis.kill()
    await refuses(t, setting)
    await refuses(t, setting, 20)
    await comesBack(t, redis, setting)
  })

  t.test('the app gets ready while Redis is down, and stores and runs tasks once it is up', async (t) => {
    await redis.kill()
    const setting = await setUp(t, { connection: redis.connection })
    await setting.app.ready()
    await refuses(t, setting)
    await until(() => setting.engineLines().length > 0)
    // Longer than the patience for a first connection.
    await until(async () => (await setting.post()).ms < 100)
    await comesBack(t, redis, setting)
  })

  t.test('an app that never reached Redis closes soon', async (t) => {
    await redis.kill()
    const { app, post } = await setUp(t, { connection: redis.connection })
    t.equal((await post()).status, 503)
    await closesSoon(t, app)
    await redis.start()
  })

  t.test('an app that has lost Redis closes soon', async (t) => {
    const setting = await setUp(t, { connection: redis.connection })
    await stores(setting)
    await redis.kill()
    t.equal((await setting.post()).status, 503)
    await closesSoon(t, setting.app)
    await redis.start()
  })

  t.test('replies are 503 while Redis is frozen, 202 once it goes on, and close does not wait for it', async (t) => {
    const setting = await setUp(t, { connection: redis.connection })
    await stores(setting)
    redis.freeze()
    await refuses(t, setting, 20)
    const { statusCode } = await setting.app.inject('/tasks/0f8fad5b-d9cb-469f-a165-70867728950e')
    t.equal(statusCode, 503, 'the status route does not hang either')
    redis.thaw()
    await recovers(t, setting)
    redis.freeze()
    await closesSoon(t, setting.app)
    redis.thaw()
  })

  t.test('the deadline of close is not late although Redis is frozen', async (t) => {
    const closeTimeout = 300
    const setting = await setUp(t, { connection: redis.connection }, { closeTimeout, storeTimeout: 10_000 })
    await stores(setting)
    let abortedAt = Infinity
    setting.app.backgroundTasks.add({}, async ({ signal }) => {
      await once(signal, 'abort')
      abortedAt = performance.now()
    })
    redis.freeze()
    const startedAt = performance.now()
    await setting.app.close()
    redis.thaw()
    t.ok(abortedAt - startedAt < closeTimeout + MARGIN_MS, `${Math.round(abortedAt - startedAt)} ms`)
  })

  t.test('replies are 503 while Redis refuses the password, and 202 once it takes it', async (t) => {
    await redis.kill()
    await redis.start('--requirepass', 'right')
    const setting = await setUp(t, { connection: { ...redis.connection, password: 'wrong' } })
    await refuses(t, setting)
    t.match(setting.engineLines(), [{ err: { message: /WRONGPASS/ } }])
    await redis.kill()
    await redis.start('--requirepass', 'wrong')
    await recovers(t, setting)
    await setting.app.close()
    await redis.kill()
    await redis.start()
  })

  t.test('of a batch that a full Redis refuses nothing is stored, and it stores again once there is room', async (t) => {
    const setting = await setUp(t, { connection: redis.connection }, { worker: false, storeTimeout: 10_000 })
    await stores(setting)
    const count = (): Promise<number> => redis.ask((client) => client.dbsize())
    const before = await count()
    await redis.ask(async (client) => {
      const [, used] = /used_memory:(\d+)/.exec(await client.info('memory')) ?? []
      // Room for some of the batch.
      await client.config('SET', 'maxmemory', String(Number(used) + 1_500_000), 'maxmemory-policy', 'noeviction')
    })
    const large = 'x'.repeat(100_000)
    t.match(await setting.post(Array(9).fill(large)), { status: 202 }, 'a batch that fits is stored')
    const stored = await count()
    t.equal(stored, before + 9)
    t.match(await setting.post(Array(9).fill(large)), { status: 503, code: 'FST_BGT_ENGINE' })
    t.equal(await count(), stored)
    await redis.ask((client) => client.config('SET', 'maxmemory', '0'))
    t.equal((await setting.post()).status, 202)
  })

  t.test('a batch is stored whole when Redis has dropped its scripts', async (t) => {
    const setting = await setUp(t, { connection: redis.connection })
    await recovers(t, setting)
    setting.ran.length = 0
    t.equal((await setting.post(['a', 'b'])).status, 202)
    await redis.ask((client) => client.script('FLUSH'))
    t.equal((await setting.post(['c', 'd'])).status, 202)
    await until(() => setting.ran.length === 4)
    t.same(setting.ran.sort(), ['a', 'b', 'c', 'd'])
  })

  t.test('a task that runs when Redis goes away is finished and not run again if Redis is back within the lock', async (t) => {
    const active = createLatch()
    const goOn = createLatch()
    let runs = 0
    const slow = defineTask({
      name: 'slow',
      payload: {},
      async handler () {
        runs++
        active.resolve()
        await goOn.promise
      }
    })
    const disk = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
    t.teardown(() => disk.stop())
    // A restart may take its time on a busy machine, and so may the first connection: what is stored late has failed here.
    const setting = await setUp(t, { connection: disk.connection, lockDuration: 20_000 }, { storeTimeout: 10_000 })
    setting.app.backgroundTasks.register(slow)
    await setting.app.ready()
    const task = setting.app.backgroundTasks.add(slow, {})
    await active.promise
    await disk.kill()
    goOn.resolve()
    await disk.start()
    await until(async () => (await setting.app.backgroundTasks.get(task.id).catch(() => undefined))?.state === 'completed', 60_000)
    t.equal(runs, 1)
  })

  t.test('nothing of it is an unhandled rejection', async (t) => {
    t.same(problems, [])
  })
})

t.test('PostgreSQL out of order', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  const { connectionString } = postgres

  t.test('replies are 503 while PostgreSQL is down, and 202 once it is back', async (t) => {
    const setting = await setUp(t, { postgres: connectionString })
    // BullMQ's tables may take longer than a request can wait.
    await recovers(t, setting)
    await postgres.kill()
    await refuses(t, setting)
    await postgres.start()
    await recovers(t, setting)
    await closesSoon(t, setting.app)
  })

  t.test('an app that starts before PostgreSQL gets ready, and stores and runs tasks once it is up', async (t) => {
    await postgres.kill()
    const pool = new Pool({ connectionString, options: '-c search_path=bullmq' })
    pool.on('error', () => {})
    t.teardown(() => pool.end())
    const settings = [await setUp(t, { postgres: connectionString }), await setUp(t, { postgres: { connectionString } }), await setUp(t, { postgres: pool })]
    for (const setting of settings) {
      await setting.app.ready()
      await refuses(t, setting)
    }
    await postgres.start()
    for (const setting of settings) {
      await recovers(t, setting)
      await setting.app.close()
    }
  })
})
