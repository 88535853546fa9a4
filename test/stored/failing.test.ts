import t from 'tap'
import { type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeClock } from '../support/clock.js'
import { createDistantEngine, createEngine, createHeldEngine, namesOf } from '../support/engine.js'
import { failing, notStored } from '../support/failing-engines.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const note = defineTask({ name: 'note', payload: {}, handler () {} })
const other = defineTask({ name: 'other', payload: {}, handler () {} })

for (const [title, change, cause] of failing) {
  t.test(`when an engine elsewhere ${title} the client gets 503, and the tasks have failed`, async (t) => {
    const log = createLog()
    const errors: unknown[] = []
    const ran: string[] = []
    const tasks: Task[] = []
    const engine = createDistantEngine(change)
    const app = await createApp(t, { engine, tasks: [note], storeTimeout: 50, onError: (error) => { errors.push(error) } }, { logger: log.logger })
    app.get('/', async (request, reply) => {
      request.backgroundTasks.add({ when: 'success' }, () => { ran.push('success') })
      request.backgroundTasks.add({ when: 'error' }, (task) => { ran.push(`error ${task.response?.statusCode}`) })
      tasks.push(request.backgroundTasks.add(note, 1), request.backgroundTasks.add(note, 2))
      return reply.code(202).header('x-kept', 'yes').send({ ok: true })
    })
    const response = await app.inject('/')
    t.equal(response.statusCode, 503)
    t.strictSame(response.json(), { statusCode: 503, code: 'FST_BGT_ENGINE', error: 'Service Unavailable', message: notStored })
    const { err } = log.lines.find(({ level, err }) => level === 'error' && err !== undefined) as unknown as { err: Error }
    t.match(err.message.replace(`${notStored}: `, ''), cause, 'the log tells why')
    await app.backgroundTasks.idle({ timeout: 1000 })
    t.equal(engine.batches.length, 1, 'the error reply stores nothing again')
    t.same(ran, ['error 503'])
    for (const task of tasks) {
      t.equal(task.state, 'failed')
      t.match(task.error, { code: 'FST_BGT_ENGINE', cause: { message: cause } })
      t.match(await app.backgroundTasks.get(task.id), { state: 'failed', error: { code: 'FST_BGT_ENGINE', message: notStored } })
      t.equal(task.cancel(), false)
    }
    t.match(app.backgroundTasks.stats(), { waiting: 0, failed: 2, completed: 1, skipped: 1 })
  })
}

t.test('the cause of FST_BGT_ENGINE is the error of the engine, and an error handler may reply otherwise', async (t) => {
  const cause = new Error('no room')
  const app = await createApp(t, { engine: createDistantEngine(() => ({ add: async () => { throw cause } })), tasks: [note] })
  app.setErrorHandler(async (error: Error & { code: string }, request, reply) => {
    t.equal(error.cause, cause)
    return reply.code(507).send(error.code)
  })
  app.get('/', async (request) => { request.backgroundTasks.add(note, {}) })
  const response = await app.inject('/')
  t.equal(response.statusCode, 507)
  t.equal(response.body, 'FST_BGT_ENGINE')
})

t.test('an error handler that adds tasks of its own to an engine that is gone leads to one 503', async (t) => {
  const engine = createDistantEngine(() => ({ add: async () => { throw new Error('no room') } }))
  const app = await createApp(t, { engine, tasks: [note, other] })
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    request.backgroundTasks.add(other, {})
    return reply.code(error.statusCode ?? 500).send(error.message)
  })
  app.get('/', async (request) => { request.backgroundTasks.add(note, {}) })
  t.equal((await app.inject('/')).statusCode, 503)
  await app.backgroundTasks.idle({ timeout: 1000 })
  t.same(namesOf(engine), [['note'], ['other']])
  t.match(app.backgroundTasks.stats(), { failed: 2 })
})

t.test('an engine that fails once stores the tasks of the next reply', async (t) => {
  let isBroken = true
  const app = await createApp(t, {
    engine: createDistantEngine((inner) => ({ add: async (tasks) => isBroken ? await Promise.reject(new Error('no room')) : await inner.add(tasks) })),
    tasks: [note]
  })
  app.get('/', async (request) => { request.backgroundTasks.add(note, {}) })
  t.equal((await app.inject('/')).statusCode, 503)
  isBroken = false
  t.equal((await app.inject('/')).statusCode, 200)
  await turnUntil(() => app.backgroundTasks.stats().completed === 1)
  t.match(app.backgroundTasks.stats(), { failed: 1 })
})

for (const [title, options, limit] of [['by default two seconds', {}, 2000], ['here 300 ms', { storeTimeout: 300 }, 300]] as const) {
  t.test(`the client is told 503 when storeTimeout is over, ${title}`, async (t) => {
    const { engine, asked } = createHeldEngine(createDistantEngine)
    const app = await createApp(t, { engine, tasks: [note], ...options })
    app.get('/', async (request) => { request.backgroundTasks.add(note, {}) })
    await app.ready()
    const tick = useFakeClock(t)
    let status = 0
    const response = app.inject('/').then(({ statusCode }) => { status = statusCode })
    await asked
    tick(limit - 1)
    for (let turn = 0; turn < 5; turn++) await nextTurn()
    t.equal(status, 0)
    tick(1)
    await response
    t.equal(status, 503)
  })
}

t.test('a timer for the engine is gone once it has answered', async (t) => {
  const app = await createApp(t, { engine: createEngine(), tasks: [note] })
  app.get('/', async (request) => { request.backgroundTasks.add(note, {}) })
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  await app.ready()
  const before = timers()
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(timers(), before)
})

for (const answer of ['that it has stored them', 'that it has failed'] as const) {
  t.test(`when the engine in memory answers late ${answer}, a task that has failed by then does not run`, async (t) => {
    const held = createLatch()
    const answered = createLatch()
    const work = defineTask({ name: 'work', payload: {}, handler () { t.fail('it has failed') } })
    const engine = createEngine((inner) => ({
      async add (tasks) {
        await held.promise
        answered.resolve()
        if (answer === 'that it has failed') throw new Error('no room')
        return await inner.add(tasks)
      }
    }))
    const app = await createApp(t, { engine, tasks: [work], storeTimeout: 5 })
    let task!: Task
    app.get('/', async (request) => { task = request.backgroundTasks.add(work, 'late') })
    t.equal((await app.inject('/')).statusCode, 200)
    await app.backgroundTasks.idle()
    t.equal(task.state, 'failed')
    held.resolve()
    await answered.promise
    for (let turn = 0; turn < 10; turn++) await nextTurn()
    await app.backgroundTasks.idle()
    t.equal(task.state, 'failed')
    t.equal(engine.batches.length, 1)
    t.match(app.backgroundTasks.stats(), { failed: 1, completed: 0, waiting: 0 })
  })
}

t.test('when an engine elsewhere answers late that it has stored a task, it runs once, though the client has its 503', async (t) => {
  const held = createLatch()
  const ran: unknown[] = []
  const work = defineTask({ name: 'work', payload: {}, handler (payload) { ran.push(payload) } })
  const engine = createDistantEngine((inner) => ({
    async add (tasks) {
      await held.promise
      return await inner.add(tasks)
    }
  }))
  const app = await createApp(t, { engine, tasks: [work], storeTimeout: 5 })
  app.get('/', async (request) => { request.backgroundTasks.add(work, 'late') })
  t.equal((await app.inject('/')).statusCode, 503)
  held.resolve()
  await turnUntil(() => ran.length > 0)
  await app.backgroundTasks.idle()
  t.same(ran, ['late'])
  t.equal(engine.batches.length, 1)
})
