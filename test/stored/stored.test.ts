import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions, type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createDistantEngine, createEngine, createHeldEngine, namesOf } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { RawClient } from '../support/raw-client.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const note = defineTask({ name: 'note', payload: {}, handler () {} })
const other = defineTask({ name: 'other', payload: {}, handler () {} })

t.test('the id of a request is stored with its tasks: a number as it is, text without what a store cannot keep', async (t) => {
  for (const [id, stored] of [[5, 5], ['req-5', 'req-5'], ['a\0b\ud83d', 'a\ufffdb\ufffd']] as const) {
    const engine = createEngine()
    const app = await createApp(t, { engine, tasks: [note] }, { genReqId: () => id as string })
    app.get('/', async (request) => { request.backgroundTasks.add(note, {}) })
    await app.inject('/')
    t.equal(engine.batches[0]?.[0]?.reqId, stored)
  }
})

t.test('the first byte of the reply leaves when the task is stored elsewhere, not before', async (t) => {
  const { engine, asked, release } = createHeldEngine(createDistantEngine)
  const app = await createApp(t, { engine, tasks: [note] }, { forceCloseConnections: true })
  app.get('/', async (request, reply) => {
    const { id } = request.backgroundTasks.add(note, {})
    return reply.code(202).send({ id })
  })
  const client = await RawClient.connect(app)
  client.send('GET', '/')
  await asked
  for (let turn = 0; turn < 20; turn++) await nextTurn()
  t.equal(client.received, '')
  release()
  await client.receive('202 Accepted')
  await app.backgroundTasks.idle()
  client.socket.destroy()
})

t.test('the registered tasks of a reply are stored in one batch, in the order added, as plain JSON', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note, other], timeout: 5000 })
  const ids: string[] = []
  app.addHook('preHandler', async (request) => {
    ids.push(request.backgroundTasks.add(note, { from: 'preHandler' }, { key: 'k', delay: 0, priority: 2 }).id)
  })
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => {})
    ids.push(request.backgroundTasks.add(other, 'handler', { retry: { retries: 1, delay: 0 } }).id)
    ids.push(request.backgroundTasks.add(note, null).id)
    return request.id
  })
  const { body: reqId } = await app.inject('/')
  t.equal(engine.batches.length, 1)
  const [first, second, third] = engine.batches[0]!
  t.match(first, { id: ids[0], name: 'note', payload: { from: 'preHandler' }, createdAt: Number, timeout: 5000, key: 'k', priority: 2, reqId })
  t.match(second, { id: ids[1], name: 'other', payload: 'handler', retry: { retries: 1, delay: 0, factor: 2, maxDelay: 30_000, jitter: true } })
  t.strictSame(Object.keys(third!), ['id', 'name', 'payload', 'createdAt', 'timeout', 'reqId'])
  t.strictSame(engine.batches[0], JSON.parse(JSON.stringify(engine.batches[0])))
  for (const id of ids) t.match(id, /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  await app.backgroundTasks.idle()
})

t.test('the engine is not asked for replies that have nothing to store', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note] })
  app.get('/none', async () => 'ok')
  app.get('/function', async (request) => { request.backgroundTasks.add(() => {}) })
  app.get('/cancelled', async (request) => { request.backgroundTasks.add(note, {}).cancel() })
  app.get('/cleared', async (request) => {
    request.backgroundTasks.add(note, {})
    return request.backgroundTasks.clear()
  })
  app.get('/unwanted', async (request) => { request.backgroundTasks.add(note, {}, { when: 'error' }) })
  for (const path of ['none', 'function', 'cancelled', 'cleared', 'unwanted']) t.equal((await app.inject(path)).statusCode, 200)
  await app.backgroundTasks.idle()
  t.same(engine.batches, [])
  t.match(app.backgroundTasks.stats(), { completed: 1, cancelled: 2, skipped: 1 })
})

/** The `when` of what is stored, by batch. */
async function storedFor (t: Test, setup: (app: FastifyInstance) => void, options: BackgroundTasksOptions = {}): Promise<unknown[]> {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note], ...options })
  app.addHook('onRequest', async (request) => {
    for (const when of ['always', 'success', 'error'] as const) request.backgroundTasks.add(note, when, { when })
  })
  setup(app)
  await app.inject('/')
  await app.backgroundTasks.idle()
  return engine.batches.map((batch) => batch.map(({ payload }) => payload))
}

t.test('when is judged by the status code with which the reply is about to leave', async (t) => {
  for (const [status, expected] of [[200, 'success'], [302, 'success'], [399, 'success'], [400, 'error'], [404, 'error'], [503, 'error']] as const) {
    const stored = await storedFor(t, (app) => { app.get('/', async (request, reply) => reply.code(status).send()) })
    t.same(stored, [['always', expected]], `${status}`)
  }
  t.same(await storedFor(t, () => {}), [['always', 'error']], 'no route')
})

t.test('a handler that throws after add stores nothing that is for success', async (t) => {
  t.same(await storedFor(t, (app) => { app.get('/', async () => { throw new Error('no') }) }), [['always', 'error']])
})

t.test('when is judged by the status that an earlier onSend hook has set', async (t) => {
  const engine = createEngine()
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onSend', async (request, reply) => { reply.code(418) })
  await app.register(backgroundTasks, { engine, tasks: [note, other] })
  app.get('/', async (request) => {
    request.backgroundTasks.add(note, {}, { when: 'success' })
    request.backgroundTasks.add(other, {}, { when: 'error' })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(namesOf(engine), [['other']])
})

t.test('when a later onSend hook fails, what was not stored is judged again by the error reply', async (t) => {
  const stored = await storedFor(t, (app) => {
    app.addHook('onSend', async () => { throw new Error('no') })
    app.get('/', async () => 'ok')
  })
  t.same(stored, [['always', 'success'], ['error']])
})

for (const [kind, create] of [['in memory', createEngine], ['elsewhere', createDistantEngine]] as const) {
  t.test(`a task for success that is stored ${kind} runs, though a later hook makes the reply an error`, async (t) => {
    const ran: unknown[] = []
    const work = defineTask({ name: 'work', payload: {}, handler (payload) { ran.push(payload) } })
    const app = await createApp(t, { engine: create(), tasks: [work], when: 'success' })
    app.addHook('onSend', async () => { throw new Error('no') })
    app.get('/', async (request) => { request.backgroundTasks.add(work, 'stored', { delay: 1 }) })
    t.equal((await app.inject('/')).statusCode, 500)
    await app.backgroundTasks.idle()
    if (kind === 'elsewhere') await turnUntil(() => ran.length > 0)
    t.same(ran, ['stored'])
  })
}

t.test('a task is skipped only once the response is over', async (t) => {
  const app = await createApp(t, { tasks: [note] })
  let task!: Task
  const states: string[] = []
  app.get('/', async (request, reply) => {
    task = request.backgroundTasks.add(note, {}, { when: 'error' })
    return reply.code(200).send('ok')
  })
  app.addHook('onSend', async () => { states.push(task.state) })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(states, ['waiting'])
  t.equal(task.state, 'skipped')
  t.equal((await app.backgroundTasks.get(task.id))?.state, 'skipped')
})

t.test('tasks added in an onSend hook behind that of the plugin are stored too', async (t) => {
  const stored = await storedFor(t, (app) => {
    app.addHook('onSend', async (request, reply) => {
      for (const when of ['always', 'success', 'error'] as const) request.backgroundTasks.add(note, `late ${when}`, { when })
    })
    app.get('/', async () => 'ok')
  })
  t.same(stored.flat().sort(), ['always', 'late always', 'late success', 'success'])
})

t.test('when an onRequest hook in front of the plugin replies itself, when is judged by its reply', async (t) => {
  const engine = createDistantEngine()
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onRequest', async (request, reply) => {
    for (const when of ['always', 'success', 'error'] as const) request.backgroundTasks.add(note, when, { when })
    return reply.code(401).send('no')
  })
  await app.register(backgroundTasks, { engine, tasks: [note] })
  app.get('/', async () => 'ok')
  t.equal((await app.inject('/')).statusCode, 401)
  await app.backgroundTasks.idle()
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [['always', 'error']])
})

t.test('a reply that cannot be written after its tasks are stored becomes a 500, as without them', async (t) => {
  const { engine, asked, release } = createHeldEngine(createDistantEngine)
  const app = await createApp(t, { engine, tasks: [note] })
  app.get('/', async (request, reply) => {
    request.backgroundTasks.add(note, {})
    return reply.header('x-broken', 'two\nlines').send('ok')
  })
  // Without care the error has nobody to catch it: then it ends the process, or this test.
  const unhandled = createLatch<unknown>()
  const onUnhandled = (error: unknown): void => { unhandled.resolve(error) }
  const before = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection').once('unhandledRejection', onUnhandled)
  t.teardown(() => {
    process.off('unhandledRejection', onUnhandled)
    for (const listener of before) process.on('unhandledRejection', listener)
  })
  const response = app.inject('/')
  await asked
  release()
  t.match(await Promise.race([response, unhandled.promise]), { statusCode: 500 })
  await app.backgroundTasks.idle()
})
