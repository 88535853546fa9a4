import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { type BackgroundTasksOptions, type EngineAddOptions, type Task, type TransactionClient, defineTask } from '../../index.js'
import { captureTasks } from '../../lib/testing.js'
import { createApp } from '../support/app.js'
import { type Change, type TestEngine, createDistantEngine } from '../support/engine.js'
import { failing, notStored } from '../support/failing-engines.js'
import { createLatch } from '../support/latch.js'
import { RawClient } from '../support/raw-client.js'
import { nextTurn } from '../support/turns.js'

const note = defineTask({ name: 'note', payload: {}, handler () {} })
/** The clients whose `query` was called. */
const queried: unknown[] = []
const client: TransactionClient = {
  async query () {
    queried.push(this)
    return { rows: [] }
  }
}

interface TransactionalApp {
  app: FastifyInstance
  engine: TestEngine
  /** What `add` was given beside the tasks, call by call. */
  given: Array<EngineAddOptions | undefined>
}

/** An app whose engine says that it is transactional. */
async function createTransactionalApp (t: Test, change: Change = () => ({}), options: BackgroundTasksOptions = {}): Promise<TransactionalApp> {
  const given: TransactionalApp['given'] = []
  const engine = createDistantEngine((inner) => {
    const { add = (tasks) => inner.add(tasks), ...more } = change(inner)
    return {
      ...more,
      transactional: true,
      add (tasks, options) {
        given.push(options)
        options?.client.query('insert', []).catch(() => {})
        return add(tasks, options)
      }
    }
  })
  return { app: await createApp(t, { engine, tasks: [note], ...options }), engine, given }
}

t.test('flush gives the client to the engine with all tasks in one batch, and the reply stores none of them again', async (t) => {
  const { app, engine, given } = await createTransactionalApp(t)
  app.get('/', async ({ backgroundTasks }) => {
    const tasks = [1, 2].map((payload) => backgroundTasks.add(note, payload))
    t.equal(await backgroundTasks.flush({ client }), undefined)
    t.same(engine.batches.map((batch) => batch.map(({ id }) => id)), [tasks.map(({ id }) => id)])
    backgroundTasks.add(note, 3)
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [[1, 2], [3]])
  t.equal(queried.pop(), client)
  t.equal(given[1], undefined)
})

t.test('flush with a client and nothing to store does not ask the engine', async (t) => {
  const { app, engine } = await createTransactionalApp(t)
  app.get('/', async ({ backgroundTasks }) => {
    await backgroundTasks.flush({ client })
    backgroundTasks.add(() => {})
    backgroundTasks.add(note, 'for errors only', { when: 'error' })
    await backgroundTasks.flush({ client })
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.same(engine.batches, [])
})

const wrong: Array<[title: string, options: any, message: RegExp]> = [
  ['null for options', null, /^options must be an object, received null$/],
  ['a client in place of options', client, /^unknown option "query", received function query$/],
  ['an unknown option', { client, transaction: 1 }, /^unknown option "transaction", received 1$/],
  ['null for a client', { client: null }, /^option "client" must be an object with a function "query", received null$/],
  ['a text for a client', { client: 'pg' }, /^option "client" must be an object with a function "query", received "pg"$/],
  ['a client without query', { client: {} }, /^option "client" must be an object with a function "query", received an object of type Object$/],
  ['a client whose query is no function', { client: { query: 'select' } }, /^option "client" must be an object with a function "query"/]
]
for (const [title, options, message] of wrong) {
  t.test(`flush with ${title} rejects with FST_BGT_INVALID_OPTIONS and stores nothing`, async (t) => {
    const { app, engine } = await createTransactionalApp(t)
    app.get('/', async ({ backgroundTasks }) => {
      const task = backgroundTasks.add(note, {})
      await t.rejects(backgroundTasks.flush(options), { code: 'FST_BGT_INVALID_OPTIONS', message })
      t.same(engine.batches, [])
      t.equal(task.state, 'waiting')
      return 'ok'
    })
    t.equal((await app.inject('/')).statusCode, 200)
    t.equal(engine.batches.length, 1, 'the task stays for the reply')
  })
}

t.test('a client may be a function with a query, and an undefined option counts as absent', async (t) => {
  const { app, given } = await createTransactionalApp(t)
  const callable = Object.assign(() => {}, client)
  app.get('/', async ({ backgroundTasks }) => {
    backgroundTasks.add(note, 1)
    await backgroundTasks.flush({ client: callable })
    backgroundTasks.add(note, 2)
    // @ts-expect-error: not under exactOptionalPropertyTypes
    await backgroundTasks.flush({ client: undefined })
    backgroundTasks.add(note, 3)
    await backgroundTasks.flush(undefined)
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.equal(queried.pop(), callable)
  t.same(given.slice(1), [undefined, undefined])
})

for (const transactional of [undefined, false]) {
  t.test(`an engine whose transactional is ${transactional} refuses a client, with or without tasks`, async (t) => {
    const engine = createDistantEngine(() => transactional === undefined ? {} : { transactional })
    const app = await createApp(t, { engine, tasks: [note] })
    const refusal = {
      code: 'FST_BGT_INVALID_OPTIONS',
      message: 'option "client" needs an engine with transactions, such as bullmqEngine({ postgres }), received an object of type Object'
    }
    app.get('/', async ({ backgroundTasks }) => {
      await t.rejects(backgroundTasks.flush({ client }), refusal)
      backgroundTasks.add(note, {})
      await t.rejects(backgroundTasks.flush({ client }), refusal)
      return 'ok'
    })
    t.equal((await app.inject('/')).statusCode, 200)
    await t.rejects(app.backgroundTasks.flush({ client }), refusal)
  })
}

t.test('the engine in memory refuses a client', async (t) => {
  const app = await createApp(t, { tasks: [note] })
  await app.ready()
  app.backgroundTasks.add(note, {})
  await t.rejects(app.backgroundTasks.flush({ client }), { code: 'FST_BGT_INVALID_OPTIONS' })
  await app.backgroundTasks.idle()
})

for (const [title, change, cause] of failing) {
  t.test(`when the engine ${title} flush with a client rejects, and the reply does not wait for it again`, async (t) => {
    const { app, engine } = await createTransactionalApp(t, change, { storeTimeout: 50 })
    let task!: Task
    app.get('/', async ({ backgroundTasks }) => {
      task = backgroundTasks.add(note, {})
      await t.rejects(backgroundTasks.flush({ client }), { code: 'FST_BGT_ENGINE', statusCode: 503, message: notStored, cause: { message: cause } })
      return 'never mind'
    })
    t.match(await app.inject('/'), { statusCode: 200, body: 'never mind' })
    t.equal(task.state, 'failed')
    t.match(task.error, { code: 'FST_BGT_ENGINE' })
    t.equal(engine.batches.length, 1)
    await app.backgroundTasks.idle({ timeout: 1000 })
  })
}

t.test('neither the reply nor another transaction waits for a transaction', async (t) => {
  const held = createLatch()
  const { app, engine } = await createTransactionalApp(t, (inner) => ({
    async add (tasks, options) {
      if (options?.client === client) await held.promise
      return await inner.add(tasks)
    }
  }))
  const first = createLatch<Promise<void>>()
  app.get('/', async ({ backgroundTasks }) => {
    backgroundTasks.add(note, 1)
    const flushed = backgroundTasks.flush({ client })
    first.resolve(flushed.then(() => {}))
    backgroundTasks.add(note, 2)
    await backgroundTasks.flush({ client: { query: client.query } })
    backgroundTasks.add(note, 3)
    await backgroundTasks.flush()
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [[1], [2], [3]])
  held.resolve()
  await (await first.promise)
})

t.test('a task that a transaction is storing cannot be cancelled: only the transaction can undo it', async (t) => {
  const held = createLatch()
  const asked: string[] = []
  const { app } = await createTransactionalApp(t, (inner) => ({
    async add (tasks) {
      await held.promise
      return tasks.map(({ id }) => id)
    },
    async cancel (id) {
      asked.push(id)
      return false
    }
  }))
  app.get('/', async ({ backgroundTasks }) => {
    const task = backgroundTasks.add(note, {})
    const { id } = task
    const flushed = backgroundTasks.flush({ client })
    t.equal(task.cancel(), false)
    t.equal(await app.backgroundTasks.cancel(id), false)
    t.equal(backgroundTasks.clear(), 0)
    t.equal(backgroundTasks.size, 1)
    held.resolve()
    await flushed
    t.equal(backgroundTasks.size, 0)
    t.equal(task.state, 'waiting')
    t.equal(task.id, id)
    t.equal(task.cancel(), false)
    t.equal(await app.backgroundTasks.get(id), undefined, 'only the store knows the task')
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.same(asked, [])
})

t.test('the receipt has the id that the engine answers', async (t) => {
  const { app } = await createTransactionalApp(t, () => ({ add: async () => ['another'] }))
  app.get('/', async ({ backgroundTasks }) => {
    const task = backgroundTasks.add(note, {}, { key: 'taken' })
    await backgroundTasks.flush({ client })
    return task.id
  })
  t.equal((await app.inject('/')).body, 'another')
})

t.test('the app flushes what it has added in this turn, whatever its when', async (t) => {
  const { app, engine } = await createTransactionalApp(t)
  await app.ready()
  for (const when of ['always', 'success', 'error'] as const) app.backgroundTasks.add(note, when, { when })
  const flushed = app.backgroundTasks.flush({ client })
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [['always', 'success', 'error']])
  t.equal(queried.pop(), client)
  await flushed
  await nextTurn()
  t.equal(engine.batches.length, 1)
})

t.test('once flush is over, also by its time limit, the engine can send nothing through the client', async (t) => {
  const held = createLatch()
  const { app, given } = await createTransactionalApp(t, () => ({
    async add () {
      await held.promise
      return []
    }
  }), { storeTimeout: 5 })
  await app.ready()
  app.backgroundTasks.add(note, 1)
  await t.rejects(app.backgroundTasks.flush({ client }), { code: 'FST_BGT_ENGINE' })
  queried.length = 0
  await t.rejects(given[0]!.client.query('insert', []), { message: 'flush is over, and its client is no longer lent' })
  t.same(queried, [])
  held.resolve()
})

t.test('without a client, the app flushes what is being stored too', async (t) => {
  const held = createLatch()
  const { app, engine, given } = await createTransactionalApp(t, (inner) => ({
    async add (tasks) {
      await held.promise
      return await inner.add(tasks)
    }
  }))
  await app.ready()
  await app.backgroundTasks.flush()
  app.backgroundTasks.add(note, 1)
  let isStored = false
  const flushed = app.backgroundTasks.flush().then(() => { isStored = true })
  await nextTurn()
  const again = app.backgroundTasks.flush().then(() => { t.equal(isStored, true) })
  await nextTurn()
  t.equal(isStored, false)
  held.resolve()
  await Promise.all([flushed, again])
  t.equal(engine.batches.length, 1)
  t.same(given, [undefined])
})

t.test('flush stores only the tasks that it is told to, and leaves the others to the reply', async (t) => {
  const { app, engine, given } = await createTransactionalApp(t)
  app.addHook('preHandler', async ({ backgroundTasks }) => { backgroundTasks.add(note, 'of a hook') })
  app.get('/', async ({ backgroundTasks }) => {
    const tasks = [1, 2].map((payload) => backgroundTasks.add(note, payload, { key: 'k' }))
    await backgroundTasks.flush({ client, tasks })
    t.equal(tasks[0], tasks[1])
    await backgroundTasks.flush({ client, tasks: [] })
    await backgroundTasks.flush({ tasks: [backgroundTasks.add(note, 3)] })
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [[1], [3], ['of a hook']])
  t.same(given.map((options) => options !== undefined), [true, false, false])
})

t.test('in the app, code that names its task takes none of other code of the same turn, nor has its own taken', async (t) => {
  const { app, engine, given } = await createTransactionalApp(t)
  await app.ready()
  const { backgroundTasks } = app
  await Promise.all([
    Promise.resolve().then(() => { backgroundTasks.add(note, 'of others') }),
    Promise.resolve().then(() => backgroundTasks.flush({ client, tasks: [backgroundTasks.add(note, 'own')] }))
  ])
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [['own'], ['of others']])
  t.same(given.map((options) => options !== undefined), [true, false])
})

t.test('in the app, a flush that comes too late for its task rejects', async (t) => {
  const { app, engine, given } = await createTransactionalApp(t)
  await app.ready()
  const late = app.backgroundTasks.add(note, 'late')
  await nextTurn()
  const own = app.backgroundTasks.add(note, 'own')
  await t.rejects(app.backgroundTasks.flush({ client, tasks: [own, late] }), {
    code: 'FST_BGT_INVALID_OPTIONS',
    message: 'option "tasks" must hold registered tasks that wait here to be stored, and whose "when" is met, received the task "note"'
  })
  await nextTurn()
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [['late'], ['own']], 'each by itself')
  t.same(given, [undefined, undefined])
})

t.test('flush refuses tasks that it cannot store, and stores none then', async (t) => {
  const { app, engine } = await createTransactionalApp(t)
  const refusal = (received: string): { code: string, message: string } => ({
    code: 'FST_BGT_INVALID_OPTIONS',
    message: `option "tasks" must hold registered tasks that wait here to be stored, and whose "when" is met, received ${received}`
  })
  const notRegistered = defineTask({ name: 'not registered', payload: {}, handler () {} })
  app.get('/', async ({ backgroundTasks }) => {
    const rubbish: any[] = [undefined, 'note', {}]
    for (const [index, received] of ['undefined', '"note"', 'an object of type Object'].entries()) {
      await t.rejects(backgroundTasks.flush({ client, tasks: [rubbish[index]] }), refusal(received))
    }
    await t.rejects(backgroundTasks.flush({ client, tasks: 'note' } as never), { message: 'option "tasks" must be an array of tasks, received "note"' })
    const own = backgroundTasks.add(note, 'own')
    const others = [
      backgroundTasks.add(() => {}), backgroundTasks.add(notRegistered, 1), backgroundTasks.add(note, 'for errors', { when: 'error' })
    ]
    for (const other of others) {
      const received = other === others[2] ? 'the task "note"' : 'an object of type BackgroundTask'
      await t.rejects(backgroundTasks.flush({ client, tasks: [own, other] }), refusal(received))
    }
    own.cancel()
    await t.rejects(backgroundTasks.flush({ client, tasks: [own] }), refusal('the task "note"'))
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.same(engine.batches, [])
})

t.test('with captured tasks there is nothing to store, whatever flush is told', async (t) => {
  const { app, engine } = await createTransactionalApp(t)
  await app.ready()
  const { tasks } = captureTasks(app)
  await app.backgroundTasks.flush({ client, tasks: [app.backgroundTasks.add(note, 1)] })
  t.match(tasks, [{ name: 'note' }])
  t.same(engine.batches, [])
})

t.test('after its client has hung up, a handler stores what it adds in its transaction, and is told of what it had added before', async (t) => {
  const { app, engine, given } = await createTransactionalApp(t)
  const began = createLatch()
  const done = createLatch()
  app.get('/', async (request, reply) => {
    const early = request.backgroundTasks.add(note, 'early')
    began.resolve()
    await once(reply.raw, 'close')
    await nextTurn()
    await t.rejects(request.backgroundTasks.flush({ client, tasks: [early] }), { code: 'FST_BGT_INVALID_OPTIONS' })
    request.backgroundTasks.add(note, 'late')
    await request.backgroundTasks.flush({ client })
    done.resolve()
  })
  const browser = await RawClient.connect(app)
  browser.send('GET', '/')
  await began.promise
  browser.socket.destroy()
  await done.promise
  await app.backgroundTasks.idle()
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [['early'], ['late']])
  t.same(given.map((options) => options !== undefined), [false, true])
})
