import t from 'tap'
import type { FastifyRequest } from 'fastify'
import { createApp } from '../support/app.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { createMost } from '../support/most.js'
import { nextTurn } from '../support/turns.js'

t.test('waitUntil returns a task that is active at once and completes with the promise', async (t) => {
  const app = await createApp(t)
  const work = createLatch<string>()
  const task = app.backgroundTasks.waitUntil(work.promise)
  t.equal(task.state, 'active')
  t.equal(task.attempt, 1)
  t.equal(task.toJSON().startedAt, task.toJSON().createdAt)
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 1 })
  work.resolve('done')
  await app.backgroundTasks.idle()
  t.equal(task.state, 'completed')
  t.equal(task.result, 'done')
})

t.test('waitUntil takes a thenable too', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.waitUntil({ then (resolve: (value: string) => void) { resolve('done') } } as PromiseLike<string>)
  const failing = app.backgroundTasks.waitUntil({ then () { throw new Error('then') } } as PromiseLike<string>)
  await app.backgroundTasks.idle()
  t.equal(task.result, 'done')
  t.match(failing.error, { message: 'then' })
})

t.test('a promise whose own then throws fails its task', async (t) => {
  const app = await createApp(t)
  const promise = Object.assign(Promise.resolve(), { then () { throw new Error('then') } })
  const task = app.backgroundTasks.waitUntil(promise as PromiseLike<void>)
  await app.backgroundTasks.idle({ timeout: 1000 })
  t.equal(task.state, 'failed')
  t.match(task.error, { message: 'then' })
})

t.test('waitUntil is named by its option, else anonymous', async (t) => {
  const app = await createApp(t)
  t.equal(app.backgroundTasks.waitUntil(Promise.resolve(), { name: 'import' }).name, 'import')
  t.equal(app.backgroundTasks.waitUntil(Promise.resolve(), {}).name, 'anonymous')
  t.equal(app.backgroundTasks.waitUntil(Promise.resolve()).name, 'anonymous')
  await app.backgroundTasks.idle()
})

t.test('a rejection is logged as a failed task, also before the response is over', async (t) => {
  const log = createLog()
  const errors: unknown[] = []
  const app = await createApp(t, { retry: 3, onError: (error) => { errors.push(error) } }, { logger: log.logger })
  const error = new Error('upload')
  app.get('/', async (request) => {
    const task = request.backgroundTasks.waitUntil(Promise.reject(error), { name: 'upload' })
    await nextTurn()
    return { state: task.state, size: request.backgroundTasks.size }
  })
  t.same((await app.inject('/')).json(), { state: 'failed', size: 0 })
  t.match(log.taskLines(), [{
    level: 'error', msg: 'background task failed', task: 'upload', attempt: 1, reqId: 'req-1', err: { message: 'upload' }
  }])
  t.equal(log.taskLines().length, 1)
  t.same(errors, [error])
  t.match(app.backgroundTasks.stats(), { failed: 1, retries: 0 })
})

t.test('waitUntil takes no place in the order of the request', async (t) => {
  const app = await createApp(t)
  const never = createLatch()
  const ran = createLatch()
  app.get('/', async (request) => {
    request.backgroundTasks.waitUntil(never.promise)
    request.backgroundTasks.add(() => { ran.resolve() })
    return 'ok'
  })
  await app.inject('/')
  await ran.promise
  t.match(app.backgroundTasks.stats(), { active: 1, completed: 1 })
  never.resolve()
  await app.backgroundTasks.idle()
})

t.test('waitUntil takes no slot of the app', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const never = createLatch()
  const { backgroundTasks } = app
  const tasks = [backgroundTasks.waitUntil(never.promise), backgroundTasks.waitUntil(never.promise)]
  const ran = createLatch()
  backgroundTasks.add(() => { ran.resolve() })
  await ran.promise
  // An end gives no slot back either: the next two still run one at a time.
  tasks[0]?.cancel()
  never.resolve()
  await backgroundTasks.idle()
  const { work, most } = createMost()
  backgroundTasks.add(work)
  backgroundTasks.add(work)
  await backgroundTasks.idle()
  t.equal(most(), 1)
})

t.test('maxPending does not refuse waitUntil, but counts it', async (t) => {
  const app = await createApp(t, { maxPending: 1 })
  const work = createLatch()
  app.backgroundTasks.waitUntil(work.promise)
  app.backgroundTasks.waitUntil(work.promise)
  t.throws(() => app.backgroundTasks.add(() => {}), { code: 'FST_BGT_FULL' })
  work.resolve()
  await app.backgroundTasks.idle()
  t.doesNotThrow(() => app.backgroundTasks.add(() => {}))
})

t.test('cancel ends the task at once and swallows what the promise does later', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const work = createLatch<Promise<void>>()
  const task = app.backgroundTasks.waitUntil(work.promise, { name: 'import' })
  const { signal } = task
  t.equal(task.cancel('enough'), true)
  t.equal(task.state, 'cancelled')
  t.match(signal.reason, { code: 'FST_BGT_CANCELLED', cause: 'enough' })
  await app.backgroundTasks.idle()
  work.resolve(Promise.reject(new Error('late')))
  await nextTurn()
  t.same(log.taskLines().map(({ level, msg }) => [level, msg]), [
    ['info', 'background task cancelled'],
    ['debug', 'background task failed after it had been given up']
  ])
})

t.test('waitUntil refuses what is not a promise', async (t) => {
  const app = await createApp(t)
  const received: Array<[value: unknown, message: string]> = [
    [undefined, 'waitUntil takes a promise, received undefined'],
    [null, 'waitUntil takes a promise, received null'],
    ['x', 'waitUntil takes a promise, received "x"'],
    [{}, 'waitUntil takes a promise, received an object of type Object'],
    [{ then: true }, 'waitUntil takes a promise, received an object of type Object'],
    [async function upload () {}, 'waitUntil takes a promise, received function upload'],
    [() => {}, 'waitUntil takes a promise, received function (anonymous)']
  ]
  for (const [value, message] of received) {
    t.throws(() => app.backgroundTasks.waitUntil(value as Promise<void>), { code: 'FST_BGT_INVALID_TASK', message })
  }
  t.equal(app.backgroundTasks.stats().active, 0)
})

t.test('waitUntil refuses wrong options, and logs the rejection of the promise all the same', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const refused: Array<[options: unknown, message: string]> = [
    [{ name: '' }, 'option "name" must be a non-empty string, received ""'],
    [{ timeout: 1 }, 'unknown option "timeout", received 1'],
    [null, 'options must be an object, received null'],
    ['name', 'options must be an object, received "name"']
  ]
  for (const [options, message] of refused) {
    const add = (): unknown => app.backgroundTasks.waitUntil(Promise.reject(new Error('work')), options as object)
    t.throws(add, { code: 'FST_BGT_INVALID_OPTIONS', message })
  }
  await nextTurn()
  t.match(log.taskLines(), Array(refused.length).fill({ level: 'error', msg: 'background task failed', err: { message: 'work' } }))
  t.match(app.backgroundTasks.stats(), { active: 0, failed: 0 })
})

t.test('on a closed app waitUntil throws, and logs the rejection of the promise all the same', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  let late!: FastifyRequest
  app.get('/', async (request) => {
    late = request
    return 'ok'
  })
  await app.inject('/')
  await app.close()
  for (const { backgroundTasks } of [app, late]) {
    const add = (): unknown => backgroundTasks.waitUntil(Promise.reject(new Error('work')), { name: 'upload' })
    t.throws(add, { code: 'FST_BGT_CLOSED', statusCode: 503, message: 'task "upload" was added after the app had closed' })
    t.throws(() => backgroundTasks.waitUntil(Promise.resolve()), { code: 'FST_BGT_CLOSED' })
  }
  await nextTurn()
  t.match(log.taskLines(), Array(2).fill({ level: 'error', msg: 'background task failed', err: { message: 'work' } }))
})
