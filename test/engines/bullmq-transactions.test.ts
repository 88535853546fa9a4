import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { type NamedTask, type NamedTaskOptions, type Task, type TaskSnapshot, type TransactionClient, defineTask } from '../../index.js'
import { type BullmqEngine, type BullmqEngineOptions, bullmqEngine } from '../../lib/bullmq.mjs'
import { createApp } from '../support/app.js'
import { createLatch } from '../support/latch.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { nextTurn } from '../support/turns.js'

// Without types of its own.
const { Client, Pool } = createRequire(import.meta.url)('pg')

/** A client of pg, as far as it is used here. */
interface PgClient extends TransactionClient, NodeJS.EventEmitter {
  query (text: string, values?: any[]): Promise<{ rows: any[] }>
}

const invoice = defineTask({ name: 'invoice', payload: {}, handler () {} })

t.test('an engine on Redis is not transactional', async (t) => {
  const engine = bullmqEngine({ connection: { port: 1 } })
  t.equal(engine.transactional, false)
  t.equal(bullmqEngine({ postgres: 'postgres://127.0.0.1:1' }).transactional, true)
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  const { connectionString } = postgres
  let queues = 0

  async function connect (t: Test, path?: string): Promise<PgClient> {
    const client = new Client({ connectionString, ...(path !== undefined && { options: `-c search_path=${path}` }) })
    await client.connect()
    t.teardown(() => client.end())
    return client
  }

  interface Shop {
    app: FastifyInstance
    engine: BullmqEngine
    queue: string
  }

  /** An app that stores tasks, on a queue of its own. It has a connection. */
  async function openShop (t: Test, more: Partial<BullmqEngineOptions> = {}, task: NamedTask = invoice, worker = false): Promise<Shop> {
    const queue = more.queue ?? `shop-${queues++}`
    const engine = bullmqEngine({ postgres: connectionString, queue, ...more })
    // A busy machine may take longer to store a task than the usual two seconds.
    const app = await createApp(t, { engine, tasks: [task], worker, storeTimeout: 20_000 })
    await app.ready()
    await engine.queue.waitUntilReady()
    return { app, engine, queue }
  }

  /** Adds tasks and flushes them with the client. */
  async function flush ({ app }: Shop, client: TransactionClient, payloads: unknown[] = ['one'], options: NamedTaskOptions = {}): Promise<Task[]> {
    const tasks = payloads.map((payload) => app.backgroundTasks.add(invoice, payload, options))
    await app.backgroundTasks.flush({ client })
    return tasks
  }

  const statesOf = async ({ app }: Shop, tasks: Task[]): Promise<Array<TaskSnapshot['state'] | undefined>> =>
    await Promise.all(tasks.map(async ({ id }) => (await app.backgroundTasks.get(id))?.state))
  const countOf = async ({ engine }: Shop): Promise<number> => await engine.queue.getJobCountByTypes()

  t.test('a task exists once its transaction is committed, and workers are told then', async (t) => {
    const done = createLatch<unknown>()
    const task = defineTask({ name: 'invoice', payload: {}, handler: (payload) => { done.resolve(payload) } })
    const shop = await openShop(t)
    await openShop(t, { queue: shop.queue }, task, true)
    const [client, listener] = await Promise.all([connect(t), connect(t)])
    const told: string[] = []
    listener.on('notification', ({ payload }) => { told.push(payload) })
    await listener.query('listen bullmq_jobs')

    await client.query('begin')
    const tasks = await flush(shop, client)
    t.same(await statesOf(shop, tasks), [undefined])
    t.equal(await countOf(shop), 0, 'no other connection sees the task')
    await listener.query('select 1')
    t.same(told, [])
    const notified = once(listener, 'notification')
    await client.query('commit')
    await notified
    t.same(told, [shop.queue])
    t.equal(await done.promise, 'one')
  })

  t.test('the tasks of a transaction that is rolled back never existed, and their keys are free', async (t) => {
    const shop = await openShop(t)
    const [client, listener] = await Promise.all([connect(t), connect(t)])
    const told: string[] = []
    listener.on('notification', ({ payload }) => { told.push(payload) })
    await listener.query('listen bullmq_jobs')
    await client.query('begin')
    const [keyed] = await flush(shop, client, ['keyed'], { key: 'k' })
    const others = await flush(shop, client, ['one', 'two'])
    await client.query('rollback')

    t.same(await statesOf(shop, [keyed!, ...others]), [undefined, undefined, undefined])
    t.equal(await countOf(shop), 0)
    await listener.query('select 1')
    t.same(told, [])
    const again = shop.app.backgroundTasks.add(invoice, 'again', { key: 'k' })
    await shop.app.backgroundTasks.flush()
    t.not(again.id, keyed!.id)
    t.same(await statesOf(shop, [again]), ['waiting'])
  })

  t.test('a rollback to a savepoint undoes what was flushed since', async (t) => {
    const shop = await openShop(t)
    const client = await connect(t)
    await client.query('begin')
    const kept = await flush(shop, client)
    await client.query('savepoint here')
    const dropped = await flush(shop, client)
    await client.query('rollback to savepoint here')
    await client.query('commit')
    t.same(await statesOf(shop, [...kept, ...dropped]), ['waiting', undefined])
  })

  t.test('outside of a transaction, the tasks are stored when flush resolves, even through a pool', async (t) => {
    const shop = await openShop(t)
    const pool = new Pool({ connectionString })
    t.teardown(() => pool.end())
    t.same(await statesOf(shop, await flush(shop, await connect(t))), ['waiting'])
    t.same(await statesOf(shop, await flush(shop, pool, ['one', 'two'])), ['waiting', 'waiting'])
  })

  /** What the client was asked, statement by statement. */
  function note (client: PgClient): { noted: TransactionClient, asked: Array<{ text: string, values: unknown[] }> } {
    const asked: Array<{ text: string, values: unknown[] }> = []
    return {
      asked,
      noted: {
        async query (text, values) {
          asked.push({ text, values })
          return await client.query(text, values)
        }
      }
    }
  }

  const kinds: Array<[title: string, payloads: string[], options: NamedTaskOptions]> = [
    ['a task', ['one'], {}],
    ['a task with a delay and a priority', ['one'], { delay: 60_000, priority: 5 }],
    ['a task with a key', ['one'], { key: 'k' }],
    ['two tasks', ['one', 'two'], {}],
    ['two tasks with a delay and a priority', ['one', 'two'], { delay: 60_000, priority: 5 }]
  ]
  for (const [title, payloads, options] of kinds) {
    t.test(`BullMQ stores ${title} by one call of one function, which has a search path of its own`, async (t) => {
      const explanation = 'BullMQ has changed how it stores jobs. The class Transactions rests on this: addJob and addJobs of the PostgreSQL ' +
        'backend call its private method `query` once, with the call of a function `add_…` that has a search path of its own. Read ' +
        'postgres-queue-backend.js and the SQL of BullMQ. Then change `queueIn`, `CALL` and `FIND_SCHEMA` in ' +
        'lib/engines/bullmq/transactions.ts so that every statement goes through the client and names the schema.'
      const shop = await openShop(t)
      const client = await connect(t)
      const { pool } = (shop.engine.queue.getBackend() as any).connection
      const { noted, asked } = note(client)
      // What the app has asked at its start is answered.
      await pool.query('select 1')
      const { query } = pool
      pool.query = () => { throw new Error(explanation) }
      await client.query('begin')
      const tasks = await flush(shop, noted, payloads, options).finally(() => { pool.query = query })
      t.equal(asked.length, 1, explanation)
      t.match(asked[0]?.text, /^(?:--.*\n)*SELECT (?:id FROM )?bullmq\.add_(?:job|jobs_bulk|flow)\(/, explanation)
      const [, name] = /bullmq\.(\w+)/.exec(asked[0]!.text)!
      const { rows } = await client.query("select proconfig from pg_proc where pronamespace = 'bullmq'::regnamespace and proname = $1", [name])
      t.same(rows, [{ proconfig: ['search_path=bullmq'] }], explanation)
      t.same(await statesOf(shop, tasks), payloads.map(() => undefined), explanation)
      await client.query('commit')
      const state = options.delay === undefined ? 'waiting' : 'delayed'
      t.same(await statesOf(shop, tasks), payloads.map(() => state), explanation)
    })
  }

  t.test('a statement of BullMQ that is not known is not sent', async (t) => {
    const shop = await openShop(t)
    const { noted, asked } = note(await connect(t))
    const backend = shop.engine.queue.getBackend() as any
    backend.run = async function () { return await this.query('INSERT INTO job VALUES ($1)', [1]) }
    await t.rejects(flush(shop, noted), {
      code: 'FST_BGT_ENGINE', cause: { message: 'BullMQ stores jobs by a statement that is not known here: INSERT INTO job VALUES ($1)' }
    })
    t.same(asked, [])
  })

  for (const path of ['public', "''", 'own,public', 'bullmq']) {
    t.test(`a client keeps its search path ${path}, whether the transaction is committed, rolled back or fails`, async (t) => {
      const shop = await openShop(t)
      const client = await connect(t, path)
      await client.query('create schema if not exists own')
      // Found first by a client that looks there.
      await client.query('create or replace function own.add_job(text) returns text language sql as $$ select \'wrong\' $$')
      await client.query('create table if not exists own.job (id text)')
      const pathOf = async (): Promise<string> => (await client.query('show search_path')).rows[0].search_path
      const before = await pathOf()
      for (const end of ['commit', 'rollback']) {
        await client.query('begin')
        const tasks = await flush(shop, client, ['one', 'two'])
        t.equal(await pathOf(), before, 'in the transaction')
        await client.query(end)
        t.equal(await pathOf(), before, `after ${end}`)
        t.same(await statesOf(shop, tasks), end === 'commit' ? ['waiting', 'waiting'] : [undefined, undefined])
      }

      await client.query('begin')
      await client.query('set local search_path to pg_temp')
      await flush(shop, client)
      t.equal(await pathOf(), 'pg_temp')
      await client.query('commit')
      t.equal(await pathOf(), before)

      await client.query('begin')
      await t.rejects(client.query('select 1 / 0'))
      await t.rejects(flush(shop, client), { code: 'FST_BGT_ENGINE', cause: { code: '25P02' } })
      await client.query('rollback')
      t.equal(await pathOf(), before)
    })
  }

  t.test('a task of a hook that flush is not told of outlives a rollback', async (t) => {
    const engine = bullmqEngine({ postgres: connectionString, queue: `shop-${queues++}` })
    const app = await createApp(t, { engine, tasks: [invoice], worker: false, storeTimeout: 20_000 })
    const client = await connect(t)
    const tasks: Task[] = []
    app.addHook('preHandler', async ({ backgroundTasks }) => { tasks.push(backgroundTasks.add(invoice, 'of a hook')) })
    app.get('/', async ({ backgroundTasks }) => {
      await client.query('begin')
      const task = backgroundTasks.add(invoice, 'own')
      tasks.push(task)
      await backgroundTasks.flush({ client, tasks: [task] })
      await client.query('rollback')
      return 'ok'
    })
    t.equal((await app.inject('/')).statusCode, 200)
    t.same(await Promise.all(tasks.map(async ({ id }) => (await app.backgroundTasks.get(id))?.state)), ['waiting', undefined])
  })

  for (const [title, breakOff] of [
    ['was ended', (client: PgClient) => (client as any).end()],
    ['is cut in its transaction', async (client: PgClient, admin: PgClient) => {
      const { rows: [{ pid }] } = await client.query('select pg_backend_pid() as pid')
      client.on('error', () => {})
      await admin.query('select pg_terminate_backend($1)', [pid])
    }]
  ] as const) {
    t.test(`flush with a client that ${title} rejects, and its tasks do not exist`, async (t) => {
      const shop = await openShop(t)
      const [client, admin] = await Promise.all([connect(t), connect(t)])
      await client.query('begin')
      await breakOff(client, admin)
      const tasks = [shop.app.backgroundTasks.add(invoice, 'one', { key: 'k' })]
      await t.rejects(shop.app.backgroundTasks.flush({ client, tasks }), { code: 'FST_BGT_ENGINE', cause: { message: String } })
      t.same(tasks.map(({ state }) => state), ['failed'])
      t.same(await statesOf(shop, tasks), ['failed'])
      t.equal(await countOf(shop), 0)
      const [again] = await flush(shop, admin, ['again'], { key: 'k' })
      t.not(again!.id, tasks[0]!.id, 'the key is free')
    })
  }

  t.test('flush with the client of another database rejects, and nothing is stored in either', async (t) => {
    const shop = await openShop(t)
    await (await connect(t)).query('create database elsewhere')
    const client = new Client({ connectionString: connectionString.replace(/[^/]*$/, 'elsewhere') })
    await client.connect()
    t.teardown(() => client.end())
    await client.query('begin')
    await t.rejects(flush(shop, client), { code: 'FST_BGT_ENGINE', cause: { code: '3F000', message: /schema "bullmq" does not exist/ } })
    await client.query('rollback')
    t.equal(await countOf(shop), 0)
  })

  t.test('when the statement fails, flush rejects with the error of the driver, and the handler may reply as it likes', async (t) => {
    const engine = bullmqEngine({ postgres: connectionString, queue: `shop-${queues++}` })
    const app = await createApp(t, { engine, tasks: [invoice], worker: false, storeTimeout: 20_000 })
    const client = await connect(t)
    let task!: Task
    app.get('/', async ({ backgroundTasks }) => {
      await client.query('begin')
      const failure = await client.query('select nothing').catch((error) => error)
      task = backgroundTasks.add(invoice, 'one')
      const error: any = await backgroundTasks.flush({ client }).catch((error) => error)
      await client.query('rollback')
      t.match(error, { code: 'FST_BGT_ENGINE', statusCode: 503, cause: { code: '25P02' } })
      t.equal(error.cause.constructor, failure.constructor, 'an error of the driver')
      return { state: task.state }
    })
    const response = await app.inject('/')
    t.equal(response.statusCode, 200)
    t.same(response.json(), { state: 'failed' })
    t.equal(await engine.queue.getJobCountByTypes(), 0)
  })

  t.test('an adapter of query alone will do, for a library with another way to ask', async (t) => {
    const shop = await openShop(t)
    const client = await connect(t)
    const adapter: TransactionClient = Object.freeze({
      __proto__: null,
      async query (this: unknown, text: string, values: any[], ...more: unknown[]) {
        t.equal(this, adapter)
        t.same(more, [])
        t.ok(Array.isArray(values))
        return { rows: (await client.query(text, values)).rows }
      }
    })
    await client.query('begin')
    const tasks = [...await flush(shop, adapter), ...await flush(shop, adapter, ['one', 'two']), ...await flush(shop, adapter, ['k'], { key: 'k' })]
    await client.query('commit')
    t.same(await statesOf(shop, tasks), ['waiting', 'waiting', 'waiting', 'waiting'])
  })

  for (const [title, answer, received] of [['nothing', undefined, 'undefined'], ['the rows themselves', [{ id: 1 }], 'an array']] as const) {
    t.test(`an adapter whose query resolves to ${title} is told what is wanted`, async (t) => {
      const shop = await openShop(t)
      const message = `the query of the client must resolve to an object with an array "rows", received ${received}`
      const adapter = { query: async () => answer } as unknown as TransactionClient
      await t.rejects(flush(shop, adapter), { code: 'FST_BGT_ENGINE', cause: { message } })
    })
  }

  for (const end of ['commit', 'rollback']) {
    t.test(`a task whose key another transaction holds waits for its ${end}`, async (t) => {
      const shop = await openShop(t)
      const [first, second, watcher] = await Promise.all([connect(t), connect(t), connect(t)])
      await first.query('begin')
      await second.query('begin')
      const [winner] = await flush(shop, first, ['first'], { key: 'k' })
      const flushed = flush(shop, second, ['second'], { key: 'k' })
      const isBlocked = async (): Promise<boolean> =>
        (await watcher.query("select from pg_stat_activity where wait_event_type = 'Lock' and query like '%add_job%'")).rows.length > 0
      while (!await isBlocked()) await nextTurn()
      await first.query(end)
      const [loser] = await flushed
      await second.query('commit')
      t.equal(loser!.id === winner!.id, end === 'commit')
      t.same(await statesOf(shop, [loser!]), ['waiting'])
      t.equal(await countOf(shop), 1)
    })
  }

  t.test('transactions that have all connections of the pool wait for none', async (t) => {
    const pool = new Pool({ connectionString, max: 2, options: '-c search_path=bullmq' })
    t.teardown(() => pool.end())
    const shop = await openShop(t, { postgres: pool })
    // After what the engine has asked at its start.
    await pool.query('select 1')
    const clients = await Promise.all([pool.connect(), pool.connect()])
    const flushed = clients.map(async (client) => {
      await client.query('begin')
      const [task] = await flush(shop, client)
      await client.query('commit')
      return task!
    })
    const tasks = await Promise.all(flushed).finally(() => { for (const client of clients) client.release() })
    t.same(await statesOf(shop, tasks), ['waiting', 'waiting'])
  })

  t.test('tasks go to the schema of the engine', async (t) => {
    const shop = await openShop(t, { postgres: { connectionString, schema: 'Tasks' } })
    const client = await connect(t)
    await client.query('begin')
    const tasks = await flush(shop, client, ['one', 'two'])
    await client.query('commit')
    t.same(await statesOf(shop, tasks), ['waiting', 'waiting'])
    t.equal((await client.query('select from "Tasks".job')).rows.length, 2)
  })

  t.test("tasks go where a pool of the user's leads", async (t) => {
    const { runMigrations } = await import('bullmq')
    await runMigrations(await connect(t) as any, 'elsewhere')
    const pool = new Pool({ connectionString, options: '-c search_path=elsewhere' })
    t.teardown(() => pool.end())
    const shop = await openShop(t, { postgres: pool })
    const client = await connect(t)
    await client.query('begin')
    const tasks = await flush(shop, client)
    await client.query('commit')
    t.same(await statesOf(shop, tasks), ['waiting'])
    t.equal((await client.query('select from elsewhere.job')).rows.length, 1)
  })

  t.test("a pool of the user's without the search path is named as the cause", async (t) => {
    const pool = new Pool({ connectionString })
    t.teardown(() => pool.end())
    const shop = await openShop(t, { postgres: pool })
    await t.rejects(flush(shop, await connect(t)), {
      code: 'FST_BGT_ENGINE', cause: { message: 'the functions of BullMQ are not in the search path of its connections' }
    })
  })
})

t.test('an app that was started before its PostgreSQL stores in transactions later', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  await postgres.kill()
  const engine = bullmqEngine({ postgres: postgres.connectionString, queue: 'late' })
  const app = await createApp(t, { engine, tasks: [invoice], worker: false, storeTimeout: 20_000 })
  await app.ready()
  app.backgroundTasks.add(invoice, 'early')
  await t.rejects(app.backgroundTasks.flush({ client: { query: () => { throw new Error('not asked') } } }), {
    code: 'FST_BGT_ENGINE', cause: { code: 'ECONNREFUSED' }
  })
  await postgres.start()
  await engine.queue.waitUntilReady()
  const client = new Client({ connectionString: postgres.connectionString })
  await client.connect()
  t.teardown(() => client.end())
  await client.query('begin')
  const task = app.backgroundTasks.add(invoice, 'late')
  await app.backgroundTasks.flush({ client })
  await client.query('commit')
  t.match(await app.backgroundTasks.get(task.id), { state: 'waiting' })
})
