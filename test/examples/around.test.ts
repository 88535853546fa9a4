import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import t from 'tap'
import { type Tracker, inScope, inTransaction, transaction } from '../../examples/around.js'
import { defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createLatch } from '../support/latch.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { nextTurn } from '../support/turns.js'

// Without types of its own.
const { Pool } = createRequire(import.meta.url)('pg')

t.test('an attempt in a transaction writes all or nothing', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  const pool = new Pool({ connectionString: postgres.connectionString, max: 2 })
  t.teardown(() => pool.end())
  await pool.query('create table bills (id integer, attempt integer)')
  const bill = defineTask({
    name: 'bill',
    payload: {},
    retry: { retries: 1, delay: 1 },
    around: inTransaction(pool),
    async handler ({ id, fails }, { attempt }) {
      await transaction().query('insert into bills values ($1, $2)', [id, attempt])
      if (attempt <= fails) throw new Error('no luck')
    }
  })
  const app = await createApp(t, { tasks: [bill] })
  await app.ready()
  for (const fails of [0, 1, 2]) app.backgroundTasks.add(bill, { id: fails, fails })
  await app.backgroundTasks.idle()
  const { rows } = await pool.query('select id, attempt from bills order by id')
  t.same(rows, [{ id: 0, attempt: 1 }, { id: 1, attempt: 2 }])
  t.match(app.backgroundTasks.stats(), { completed: 2, failed: 1 })
  t.equal(pool.idleCount, pool.totalCount, 'every client is back')
})

t.test('an attempt that has timed out is rolled back, although its handler goes on', async (t) => {
  const statements: string[] = []
  const late = createLatch()
  const client = {
    async query (text: string) {
      statements.push(text)
      return { rows: [] }
    },
    release () { statements.push('release') }
  }
  const app = await createApp(t, { around: inTransaction({ connect: async () => client }) })
  const task = app.backgroundTasks.add({ timeout: 5 }, () => late.promise)
  await app.backgroundTasks.idle()
  t.match(task, { state: 'failed', error: { code: 'FST_BGT_TIMEOUT' } })
  late.resolve()
  while (statements.at(-1) !== 'release') await nextTurn()
  t.same(statements, ['begin', 'rollback', 'release'])
})

t.test('a client whose rollback fails is not given back', async (t) => {
  const released: unknown[] = []
  const away = new Error('the connection is gone')
  const app = await createApp(t, {
    around: inTransaction({
      connect: async () => ({
        query: (text) => text === 'rollback' ? Promise.reject(away) : Promise.resolve({ rows: [] }),
        release (error) { released.push(error) }
      })
    })
  })
  const task = app.backgroundTasks.add(() => { throw new Error('no luck') })
  await app.backgroundTasks.idle()
  t.match(task, { state: 'failed', error: { message: 'no luck' } })
  t.same(released, [away])
})

t.test('without a transaction there is none to ask for', async (t) => {
  t.throws(transaction, { message: /there is no transaction/ })
})

t.test('what a task throws is reported with the tags of its attempt alone', async (t) => {
  const scopes = new AsyncLocalStorage<Map<string, unknown>>()
  const captured: object[] = []
  const tracker: Tracker = {
    withIsolationScope (fn) {
      const tags = new Map<string, unknown>()
      return scopes.run(tags, () => fn({ setTag (key, value) { tags.set(key, value) } }))
    },
    captureException (error) { captured.push({ ...Object.fromEntries(scopes.getStore()!), message: (error as Error).message }) }
  }
  const app = await createApp(t, { around: inScope(tracker), retry: { retries: 1, delay: 1 } })
  const [works, fails] = [
    app.backgroundTasks.add({ name: 'works' }, async () => scopes.getStore()?.get('task')),
    app.backgroundTasks.add({ name: 'fails' }, async () => { throw new Error('no luck') })
  ]
  await app.backgroundTasks.idle()
  t.equal(works.result, 'works')
  t.match(fails, { state: 'failed' })
  t.same(captured, [{ task: 'fails', attempt: 1, message: 'no luck' }, { task: 'fails', attempt: 2, message: 'no luck' }])
})
