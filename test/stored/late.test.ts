import t from 'tap'
import { type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createDistantEngine, createEngine, createHeldEngine, namesOf } from '../support/engine.js'
import { failing, notStored } from '../support/failing-engines.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { RawClient } from '../support/raw-client.js'
import { turnUntil } from '../support/turns.js'

const note = defineTask({ name: 'note', payload: {}, handler () {} })
const other = defineTask({ name: 'other', payload: {}, handler () {} })

t.test('a task added after hijack is stored at once', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note, other] }, { forceCloseConnections: true })
  const end = createLatch()
  const stored = createLatch()
  app.get('/', (request, reply) => {
    reply.hijack()
    request.backgroundTasks.add(note, 1)
    request.backgroundTasks.add(note, 2)
    request.backgroundTasks.add(other, 3, { when: 'success' })
    queueMicrotask(() => { queueMicrotask(() => { stored.resolve() }) })
    end.promise.then(() => {
      reply.raw.writeHead(200)
      reply.raw.end('ok')
    })
  })
  const response = app.inject('/')
  await stored.promise
  t.same(namesOf(engine), [['note', 'note']])
  end.resolve()
  await response
  await app.backgroundTasks.idle()
  t.same(namesOf(engine), [['note', 'note'], ['other']])
})

t.test('a task added before hijack is stored by flush, or when the response is over', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note] })
  app.get('/:how', async (request, reply) => {
    request.backgroundTasks.add(note, request.params)
    reply.hijack()
    if (request.url === '/flush') {
      await request.backgroundTasks.flush()
      t.equal(engine.batches.length, 1)
    }
    reply.raw.end('ok')
  })
  await app.inject('/flush')
  await app.inject('/end')
  await app.backgroundTasks.idle()
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [[{ how: 'flush' }], [{ how: 'end' }]])
})

t.test('tasks added after the response are stored at once, those of one turn in one batch, and judged by the response', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note] })
  const added = createLatch()
  app.get('/', async (request, reply) => {
    reply.raw.once('close', () => {
      setImmediate(() => {
        for (const when of ['always', 'success', 'error'] as const) request.backgroundTasks.add(note, when, { when })
        added.resolve()
      })
    })
    return reply.code(404).send()
  })
  await app.inject('/')
  await added.promise
  await app.backgroundTasks.idle()
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [['always', 'error']])
  t.match(app.backgroundTasks.stats(), { skipped: 1, completed: 2 })
})

t.test('a function task may add registered tasks to its request', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note] })
  app.get('/', async (request) => {
    const { backgroundTasks } = request
    backgroundTasks.add(() => { backgroundTasks.add(note, {}) })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(namesOf(engine), [['note']])
  t.match(app.backgroundTasks.stats(), { completed: 2 })
})

t.test('a task that cannot be stored after the response is logged as a failed task', async (t) => {
  const log = createLog()
  const errors: unknown[] = []
  const engine = createEngine(() => ({ add: async () => { throw new Error('no room') } }))
  const app = await createApp(t, { engine, tasks: [note], onError: (error, task) => { errors.push([(error as Error).message, task.name]) } }, { logger: log.logger })
  app.get('/', async (request) => {
    const { backgroundTasks } = request
    backgroundTasks.add(() => { backgroundTasks.add(note, {}) })
    return request.id
  })
  const { statusCode, body: reqId } = await app.inject('/')
  t.equal(statusCode, 200)
  await app.backgroundTasks.idle()
  t.match(log.taskLines().filter(({ level }) => level === 'error'), [
    { msg: 'background task failed', task: 'note', reqId, attempt: 1, err: { code: 'FST_BGT_ENGINE', message: `${notStored}: no room` } }
  ])
  t.same(errors, [[notStored, 'note']])
  t.match(app.backgroundTasks.stats(), { completed: 1, failed: 1 })
})

t.test('tasks of the app are stored at once, before the app is ready and after', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note] })
  app.backgroundTasks.add(note, 1)
  app.backgroundTasks.add(note, 2, { when: 'error' })
  await Promise.resolve()
  t.same(namesOf(engine), [['note', 'note']])
  t.match(app.backgroundTasks.stats(), { waiting: 2 })
  await app.ready()
  await app.backgroundTasks.idle()
  app.backgroundTasks.add(note, 3)
  await app.backgroundTasks.idle()
  t.equal(engine.batches.length, 2)
  t.notOk('reqId' in engine.batches[1]![0]!)
  t.match(app.backgroundTasks.stats(), { completed: 3 })
})

for (const [title, change] of failing) {
  t.test(`when the engine ${title} a task of the app is logged as a failed task`, async (t) => {
    const log = createLog()
    const app = await createApp(t, { engine: createEngine(change), tasks: [note], storeTimeout: 5 }, { logger: log.logger })
    const task = app.backgroundTasks.add(note, {})
    await app.backgroundTasks.idle({ timeout: 1000 })
    t.equal(task.state, 'failed')
    t.match(log.taskLines(), [{ level: 'error', task: 'note', taskId: task.id, err: { code: 'FST_BGT_ENGINE' } }])
  })
}

t.test('when the client goes before the reply, a task that always runs is stored and the others are skipped', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine, tasks: [note] }, { forceCloseConnections: true })
  const [added, release, replied] = [createLatch(), createLatch(), createLatch()]
  const tasks: Task[] = []
  app.get('/', async (request, reply) => {
    tasks.push(...(['always', 'success', 'error'] as const).map((when) => request.backgroundTasks.add(note, when, { when })))
    added.resolve()
    await release.promise
    return reply.code(200).send('ok')
  })
  app.addHook('onSend', async () => { replied.resolve() })
  const client = await RawClient.connect(app)
  client.send('GET', '/')
  await added.promise
  client.socket.destroy()
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ state }) => state), ['completed', 'skipped', 'skipped'])
  release.resolve()
  await replied.promise
  await app.backgroundTasks.idle()
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [['always']])
})

for (const [kind, create] of [['in memory', createEngine], ['elsewhere', createDistantEngine]] as const) {
  t.test(`when the client goes while the tasks of a reply are stored ${kind}, the status of the reply counts`, async (t) => {
    const ran: unknown[] = []
    const work = defineTask({ name: 'work', payload: {}, handler (payload) { ran.push(payload) } })
    const { engine, asked, release } = createHeldEngine(create)
    const app = await createApp(t, { engine, tasks: [work] }, { forceCloseConnections: true })
    const tasks: Task[] = []
    const closed = createLatch()
    app.get('/', async (request, reply) => {
      reply.raw.once('close', closed.resolve)
      tasks.push(...(['always', 'success', 'error'] as const).map((when) => request.backgroundTasks.add(work, when, { when })))
      return 'ok'
    })
    const client = await RawClient.connect(app)
    client.send('GET', '/')
    await asked
    client.socket.destroy()
    await closed.promise
    t.equal(tasks[2]?.state, 'skipped')
    release()
    await app.backgroundTasks.idle()
    if (kind === 'elsewhere') await turnUntil(() => ran.length === 2)
    t.same(ran, ['always', 'success'])
    t.equal(engine.batches.length, 1)
  })
}
