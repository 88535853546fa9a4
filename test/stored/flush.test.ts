import Fastify from 'fastify'
import t from 'tap'
import backgroundTasks, { type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { type TestEngine, createDistantEngine, createEngine, createHeldEngine, namesOf } from '../support/engine.js'
import { failing, notStored } from '../support/failing-engines.js'
import { createLatch } from '../support/latch.js'
import { nextTurn } from '../support/turns.js'

const note = defineTask({ name: 'note', payload: {}, handler () {} })
const payloadsOf = ({ batches }: TestEngine): unknown[] => batches.map((batch) => batch.map(({ payload }) => payload))
const other = defineTask({ name: 'other', payload: {}, handler () {} })

t.test('flush stores the tasks, and the reply stores only what was added since', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note, other] })
  app.get('/', async (request) => {
    const task = request.backgroundTasks.add(note, {})
    const { id } = task
    await request.backgroundTasks.flush()
    t.same(namesOf(engine), [['note']])
    t.equal(engine.batches[0]?.[0]?.id, id)
    t.equal(task.id, id)
    await request.backgroundTasks.flush()
    request.backgroundTasks.add(other, {})
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.same(namesOf(engine), [['note'], ['other']])
  await app.backgroundTasks.idle()
})

t.test('flush with nothing to store resolves without asking the engine', async (t) => {
  const engine = createEngine(() => ({ add: () => { throw new Error('asked') } }))
  const app = await createApp(t, { engine })
  app.get('/', async (request) => {
    await request.backgroundTasks.flush()
    request.backgroundTasks.add(() => {})
    request.backgroundTasks.add(note, 'not registered')
    t.equal(await request.backgroundTasks.flush(), undefined)
    return request.backgroundTasks.size
  })
  t.equal((await app.inject('/')).body, '2')
  await app.backgroundTasks.idle()
})

t.test('flush judges when by the status of the moment and keeps the rest for the reply', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note] })
  app.get('/', async (request, reply) => {
    for (const when of ['always', 'success', 'error'] as const) request.backgroundTasks.add(note, when, { when })
    await request.backgroundTasks.flush()
    return reply.code(400).send('no')
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(payloadsOf(engine), [['always', 'success'], ['error']])
})

t.test('flush after the response judges when by the response', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note] })
  const flushed = createLatch()
  app.get('/', async (request, reply) => {
    reply.raw.once('close', () => {
      setImmediate(async () => {
        request.backgroundTasks.add(note, 'success', { when: 'success' })
        request.backgroundTasks.add(note, 'error', { when: 'error' })
        await request.backgroundTasks.flush()
        flushed.resolve()
      })
    })
    return 'ok'
  })
  await app.inject('/')
  await flushed.promise
  t.same(payloadsOf(engine), [['success']])
  await app.backgroundTasks.idle()
})

for (const [title, change, cause] of failing) {
  t.test(`when the engine ${title} flush rejects, and a handler that catches it may reply as it likes`, async (t) => {
    const engine = createEngine(change)
    const app = await createApp(t, { engine, tasks: [note], storeTimeout: 50 })
    let task!: Task
    app.get('/', async (request, reply) => {
      task = request.backgroundTasks.add(note, {})
      await t.rejects(request.backgroundTasks.flush(), { code: 'FST_BGT_ENGINE', statusCode: 503, message: notStored, cause: { message: cause } })
      return reply.code(200).send('never mind')
    })
    t.equal((await app.inject('/')).statusCode, 200)
    await app.backgroundTasks.idle({ timeout: 1000 })
    t.equal(task.state, 'failed')
    t.equal(engine.batches.length, 1)
  })
}

t.test('a handler that does not catch the rejection of flush replies 503', async (t) => {
  const engine = createEngine(() => ({ add: async () => { throw new Error('no room') } }))
  const app = await createApp(t, { engine, tasks: [note] })
  app.get('/', async (request) => {
    request.backgroundTasks.add(note, {})
    await request.backgroundTasks.flush()
  })
  const response = await app.inject('/')
  t.equal(response.statusCode, 503)
  t.equal(response.json().code, 'FST_BGT_ENGINE')
  t.equal(engine.batches.length, 1)
})

t.test('the reply waits for a flush that is under way to an engine elsewhere', async (t) => {
  const { engine, asked, release } = createHeldEngine(createDistantEngine)
  const app = await createApp(t, { engine, tasks: [note] })
  const events: string[] = []
  app.get('/', async (request) => {
    request.backgroundTasks.add(note, {})
    request.backgroundTasks.flush().then(() => { events.push('stored') })
    return 'ok'
  })
  const response = app.inject('/').then(() => { events.push('replied') })
  await asked
  for (let turn = 0; turn < 20; turn++) await nextTurn()
  release()
  await response
  t.same(events, ['stored', 'replied'])
  await app.backgroundTasks.idle()
})

t.test('the reply waits for a flush that is under way and for what was added since', async (t) => {
  const { engine, asked, release } = createHeldEngine(createDistantEngine)
  const app = await createApp(t, { engine, tasks: [note, other] })
  let isStored = false
  app.get('/', async (request) => {
    request.backgroundTasks.add(note, {})
    request.backgroundTasks.flush().then(() => { isStored = true })
    request.backgroundTasks.add(other, {})
    return 'ok'
  })
  const response = app.inject('/')
  await asked
  release()
  await response
  t.equal(isStored, true)
  t.same(namesOf(engine), [['note'], ['other']])
  await app.backgroundTasks.idle()
})

t.test("flush in an earlier plugin's onRequest hook, where there is no reply yet, judges when by the status that it would have", async (t) => {
  const engine = createEngine()
  const app = Fastify()
  t.teardown(() => app.close())
  let stored: unknown
  app.addHook('onRequest', async ({ backgroundTasks }) => {
    for (const when of ['always', 'success', 'error'] as const) backgroundTasks.add(note, when, { when })
    await backgroundTasks.flush()
    stored = payloadsOf(engine)
  })
  await app.register(backgroundTasks, { engine, tasks: [note] })
  app.get('/', async () => 'ok')
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(stored, [['always', 'success']])
  t.same(payloadsOf(engine), [['always', 'success']])
  t.match(app.backgroundTasks.stats(), { completed: 2, skipped: 1 })
})

t.test('the reply waits for every flush that is under way, whichever ends first', async (t) => {
  const held = [createLatch(), createLatch()]
  const engine = createDistantEngine((inner) => ({
    async add (tasks) {
      await held[engine.batches.length - 1]?.promise
      return await inner.add(tasks)
    }
  }))
  const app = await createApp(t, { engine, tasks: [note] })
  app.get('/', async ({ backgroundTasks }) => {
    for (const payload of [1, 2]) {
      backgroundTasks.add(note, payload)
      backgroundTasks.flush().catch(() => {})
    }
    return 'ok'
  })
  let isOver = false
  const response = app.inject('/').then(() => { isOver = true })
  while (engine.batches.length < 2) await nextTurn()
  held[1]?.resolve()
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  t.equal(isOver, false)
  held[0]?.resolve()
  await response
})

t.test('the app flushes what it has added in this turn, whatever its when', async (t) => {
  const engine = createDistantEngine()
  const app = await createApp(t, { engine, tasks: [note] })
  await app.ready()
  await app.backgroundTasks.flush()
  app.backgroundTasks.add(note, 1)
  app.backgroundTasks.add(note, 2, { when: 'error' })
  await app.backgroundTasks.flush()
  t.same(payloadsOf(engine), [[1, 2]])
  await t.rejects(app.backgroundTasks.flush({ clint: 1 } as object), { code: 'FST_BGT_INVALID_OPTIONS' })
})
