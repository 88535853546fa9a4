import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type FlushOptions, type TransactionClient, defineTask } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { createApp } from '../support/app.js'
import { spawnScript } from '../support/child.js'
import { createDistantEngine } from '../support/engine.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'

// Without types of its own.
const { Pool } = createRequire(import.meta.url)('pg')

// The processes of the last test are started anew several times.
t.setTimeout(120_000)

const note = defineTask({ name: 'note', payload: {}, handler () {} })

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  const { connectionString } = postgres
  const pool = new Pool({ connectionString })
  t.teardown(() => pool.end())
  await pool.query('create table orders (id serial)')
  await pool.query('create table tasks_wanted (count integer)')

  /** Calls `use` with the list of a request and a client, in a request of an app with an engine, and gives its reply. */
  async function inRequest (
    t: Parameters<typeof createApp>[0], options: object,
    use: (list: { add: (payload: unknown, options?: object) => { id: string, state: string }, flush: (options?: FlushOptions) => Promise<void> }, client: any) => Promise<unknown>
  ): Promise<{ app: Awaited<ReturnType<typeof createApp>>, reply: any }> {
    const engine = bullmqEngine({ postgres: connectionString, queue: t.name.replace(/\W/g, '-') })
    const app = await createApp(t, { engine, tasks: [note], worker: false, storeTimeout: 10_000, ...options })
    const client = await pool.connect()
    app.get('/', async (request) => await use({
      add: (payload, options) => request.backgroundTasks.add(note, payload, options),
      flush: (options) => request.backgroundTasks.flush(options)
    }, client))
    const response = await app.inject('/')
    client.release()
    return { app, reply: response.json() }
  }
  const seenBy = async (queue: string): Promise<number> =>
    Number((await pool.query('select count(*) from bullmq.job where queue = $1', [queue])).rows[0].count)

  t.test('tasks of a transaction exist once it is committed', async (t) => {
    const counts: unknown[] = []
    const { app, reply } = await inRequest(t, {}, async (list, client) => {
      await client.query('begin')
      const tasks = [list.add({ n: 1 }), list.add({ n: 2 }, { key: 'k' })]
      await list.flush({ client })
      counts.push(await seenBy('tasks-of-a-transaction-exist-once-it-is-committed'))
      await client.query('commit')
      counts.push(await seenBy('tasks-of-a-transaction-exist-once-it-is-committed'))
      return tasks.map(({ id }) => id)
    })
    t.same(counts, [0, 2])
    for (const id of reply) t.match(await app.backgroundTasks.get(id), { id, state: 'waiting' })
  })

  t.test('tasks of a transaction that is rolled back never existed, and their keys are free', async (t) => {
    const { app, reply } = await inRequest(t, {}, async (list, client) => {
      await client.query('begin')
      const task = list.add({ n: 1 }, { key: 'k' })
      await list.flush({ client })
      await client.query('rollback')
      const next = list.add({ n: 2 }, { key: 'k' })
      await list.flush()
      return [task.id, next.id]
    })
    const [id, next] = reply
    t.not(id, next)
    t.equal(await app.backgroundTasks.get(id), undefined)
    t.match(await app.backgroundTasks.get(next), { state: 'waiting' })
    t.equal(await seenBy('tasks-of-a-transaction-that-is-rolled-back-never-existed-and-their-keys-are-free'), 0)
  })

  t.test('a worker is told at the commit', async (t) => {
    const queue = 'told'
    const engine = bullmqEngine({ postgres: connectionString, queue })
    const app = await createApp(t, { engine, tasks: [note], storeTimeout: 10_000 })
    await app.ready()
    const { reply } = await inRequest(t, { engine: bullmqEngine({ postgres: connectionString, queue }) }, async (list, client) => {
      await client.query('begin')
      const task = list.add({ n: 1 })
      await list.flush({ client })
      await client.query('commit')
      return { id: task.id }
    })
    const ended = new Promise<void>((resolve) => {
      const end = engine.watch(reply.id, () => {
        app.backgroundTasks.get(reply.id).then((snapshot) => {
          if (snapshot?.state !== 'completed') return
          end()
          resolve()
        })
      })
    })
    await ended
    t.pass('it has run')
  })

  t.test('several tasks are one statement, which leaves the search path as it is', async (t) => {
    const texts: string[] = []
    const paths: unknown[] = []
    await inRequest(t, {}, async (list, client) => {
      await client.query("set search_path to 'orders, old'")
      await client.query('begin')
      await client.query("set local search_path to 'orders'")
      const path = async (): Promise<void> => { paths.push((await client.query('show search_path')).rows[0].search_path) }
      await path()
      const adapter: TransactionClient = {
        query (text, values) {
          texts.push(text)
          return client.query(text, values)
        }
      }
      for (let n = 0; n < 5; n++) list.add({ n })
      await list.flush({ client: adapter })
      await path()
      await client.query('commit')
      await path()
      await client.query('reset search_path')
      return {}
    })
    t.equal(texts.length, 1, 'BullMQ stores jobs by one call of `query` of its backend. If not, lib/engines/bullmq/transactions.ts must follow')
    t.match(texts[0], /add_jobs_bulk/)
    t.same(paths, ['orders', 'orders', '"orders, old"'])
  })

  t.test('a transaction that has failed rejects, its tasks have failed, and the reply does not wait again', async (t) => {
    const { app, reply } = await inRequest(t, {}, async (list, client) => {
      await client.query('begin')
      await client.query('select 1 / 0').catch(() => {})
      const task = list.add({ n: 1 })
      const error: any = await list.flush({ client }).catch((error) => error)
      const { rows: [{ search_path: path }] } = await client.query('rollback').then(() => client.query('show search_path'))
      return { code: error.code, cause: error.cause.code, state: task.state, path }
    })
    t.same(reply, { code: 'FST_BGT_ENGINE', cause: '25P02', state: 'failed', path: '"$user", public' })
    t.match(app.backgroundTasks.stats(), { failed: 1, waiting: 0 })
  })

  t.test('a statement that fails in a good transaction rejects with the error of the driver', async (t) => {
    const { reply } = await inRequest(t, {}, async (list, client) => {
      await client.query('begin')
      list.add({ n: 1 })
      const query = (text: string, values: unknown[]): Promise<any> =>
        /add_job/.test(text) ? client.query('select 1 / 0') : client.query(text, values)
      const error: any = await list.flush({ client: { query } }).catch((error) => error)
      const { rows: [{ search_path: path }] } = await client.query('rollback').then(() => client.query('show search_path'))
      return { code: error.code, cause: error.cause.code, path }
    })
    t.same(reply, { code: 'FST_BGT_ENGINE', cause: '22012', path: '"$user", public' })
  })

  t.test('what was added since is stored before the reply', async (t) => {
    await inRequest(t, {}, async (list, client) => {
      await client.query('begin')
      list.add({ n: 1 })
      await list.flush({ client })
      await client.query('rollback')
      list.add({ n: 2 })
      return {}
    })
    t.equal(await seenBy('what-was-added-since-is-stored-before-the-reply'), 1)
  })

  t.test('orders and tasks are the same after kills at any moment', async (t) => {
    const queue = 'orders'
    const script = fileURLToPath(new URL('../fixtures/order-process.ts', import.meta.url))
    for (const [moment, messages] of [['flushed', 40], ['ended', 41], ['flushed', 77], ['ended', 100]] as const) {
      const child = spawnScript(script, [connectionString, queue], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      t.teardown(() => { child.kill('SIGKILL') })
      let seen = 0
      await new Promise<void>((resolve) => {
        child.on('message', (message) => { if (message === moment && ++seen === messages) resolve() })
      })
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    // The server may still be ending the transactions of the processes that are gone.
    for (;;) {
      const { rows: [{ count }] } = await pool.query("select count(*) from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid() and backend_type = 'client backend'")
      if (Number(count) === 0) break
    }
    const { rows: [{ orders, wanted }] } = await pool.query('select (select count(*) from orders) as orders, (select coalesce(sum(count), 0) from tasks_wanted) as wanted')
    const stored = await seenBy(queue)
    t.comment(`${orders} orders with ${wanted} tasks, ${stored} stored`)
    t.equal(stored, Number(wanted))
    t.ok(Number(orders) > 100)
    const { rows: [{ count: rows }] } = await pool.query('select count(*) from tasks_wanted')
    t.equal(rows, orders)
  })
})

const client: TransactionClient = { query: async () => ({ rows: [] }) }

t.test('a client that is none, and an engine without transactions, are refused', async (t) => {
  for (const options of [{}, { engine: createDistantEngine() }, { engine: bullmqEngine({ connection: { port: 1 } }) }]) {
    const app = await createApp(t, { ...options, tasks: [note], worker: false })
    app.get('/', async (request) => await request.backgroundTasks.flush({ client }))
    t.match((await app.inject('/')).json(), {
      code: 'FST_BGT_INVALID_OPTIONS',
      message: /^option "client" needs an engine with transactions, such as bullmqEngine\(\{ postgres \}\), received an object of type \w+$/
    })
  }
  const app = await createApp(t)
  const wrong: Array<[value: object, message: string]> = [
    [{ client: {} }, 'option "client" must be an object with a function "query", received an object of type Object'],
    [{ client: null }, 'option "client" must be an object with a function "query", received null'],
    [{ client: 'pg' }, 'option "client" must be an object with a function "query", received "pg"'],
    [{ clint: client }, 'unknown option "clint", received an object of type Object']
  ]
  app.get('/', async (request) => {
    const errors = await Promise.all(wrong.map(([value]) => request.backgroundTasks.flush(value).catch(({ code, message }) => `${code} ${message}`)))
    await request.backgroundTasks.flush({})
    return errors
  })
  t.same((await app.inject('/')).json(), wrong.map(([, message]) => `FST_BGT_INVALID_OPTIONS ${message}`))
})
