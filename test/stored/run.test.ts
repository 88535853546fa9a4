import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { Type } from '@sinclair/typebox'
import t from 'tap'
import type { TaskSnapshot } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { createMost } from '../support/most.js'
import { SharedStore } from '../support/shared-store.js'
import { agree, createStoredApp, named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

t.test('the task that add returns follows the stored one through every state, and so do get and the engine', async (t) => {
  const [started, seen, release] = [createLatch(), createLatch(), createLatch()]
  const { app, engine, work } = await createStoredApp(t, async (payload, task) => {
    started.resolve()
    if (task.attempt === 1) {
      await seen.promise
      throw new Error('once')
    }
    await release.promise
    return { bytes: 7 }
  }, { result: Type.Object({ bytes: Type.Integer() }), retry: { retries: 1, delay: 60_000, jitter: false } })
  await app.ready()
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add(work, {}, { delay: 1000 })
  t.match(await app.backgroundTasks.get(task.id), { state: 'waiting', attempt: 1 })
  await agree(t, engine, task, { state: 'delayed', attempt: 1 })
  t.match(app.backgroundTasks.stats(), { delayed: 1, waiting: 0 })
  tick(999)
  await agree(t, engine, task, { state: 'delayed' })
  tick(1)
  await started.promise
  await agree(t, engine, task, { state: 'active', attempt: 1 })
  t.match(app.backgroundTasks.stats(), { delayed: 0, active: 1 })
  seen.resolve()
  await turnUntil(() => task.state === 'delayed')
  t.match(app.backgroundTasks.stats(), { delayed: 1, active: 0, retries: 1 })
  t.equal(task.attempt, 1)
  tick(60_000)
  await turnUntil(() => task.state === 'active')
  await agree(t, engine, task, { state: 'active', attempt: 2 })
  release.resolve()
  await app.backgroundTasks.idle()
  await agree(t, engine, task, { state: 'completed', attempt: 2, result: { bytes: 7 } })
  t.same(await app.backgroundTasks.get(task.id), task.toJSON())
  t.notOk('error' in task.toJSON())
  t.match(app.backgroundTasks.stats(), { completed: 1, failed: 0, delayed: 0, active: 0, waiting: 0 })
})

t.test('its times are ISO 8601 and in order', async (t) => {
  const { app, work } = await createStoredApp(t, () => {})
  await app.ready()
  const task = app.backgroundTasks.add(work, {})
  await app.backgroundTasks.idle()
  const { createdAt, startedAt, finishedAt } = task.toJSON()
  for (const time of [createdAt, startedAt, finishedAt]) t.equal(new Date(time!).toISOString(), time)
  t.ok(createdAt <= startedAt! && startedAt! <= finishedAt!)
})

t.test('it was added at the same time for its process and for the engine, before and after it runs again', async (t) => {
  const { app, engine, work } = await createStoredApp(t, () => { throw new Error('no luck') })
  await app.ready()
  const { now } = Date
  let later = 0
  // A clock that somebody sets back between two looks at it.
  Date.now = () => now() - later++
  const task = app.backgroundTasks.add(work, {})
  const { createdAt } = task.toJSON()
  Date.now = now
  await app.backgroundTasks.idle()
  t.equal((await engine.get(task.id))?.createdAt, createdAt)
  t.ok(task.toJSON().startedAt! >= createdAt)
  t.equal(await app.backgroundTasks.retry(task.id), true)
  await app.backgroundTasks.idle()
  t.match([task.toJSON(), await app.backgroundTasks.get(task.id)], [{ createdAt }, { createdAt }])
})

t.test('a task that another process has added, whose clock is ahead, was not added after its start', async (t) => {
  const store = new SharedStore()
  const seen: TaskSnapshot[] = []
  const work = named((payload, task) => { seen.push(task.toJSON()) })
  const app = await createApp(t, { engine: store.createEngine(), tasks: [work] })
  await app.ready()
  await store.createEngine().add([{ id: randomUUID(), name: 'work', payload: 1, createdAt: Date.now() + 60_000 }])
  await turnUntil(() => seen.length > 0)
  t.equal(seen[0]?.createdAt, seen[0]?.startedAt)
})

t.test('a task of lower priority value starts first, those of the same one in the order added', async (t) => {
  const ran: unknown[] = []
  const { app, work } = await createStoredApp(t, async (payload) => {
    ran.push(payload)
    await nextTurn()
  }, {}, { concurrency: 1 })
  app.get('/', async (request) => {
    const { backgroundTasks } = request
    for (const [index, priority] of [5, undefined, 1, 0, 5, 1].entries()) {
      backgroundTasks.add(work, index, priority === undefined ? {} : { priority })
    }
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  // The first of the batch may start before the others are looked at only if nothing is ahead of it.
  t.same(ran, [1, 3, 2, 5, 0, 4])
})

t.test('stored tasks and functions share the slots of concurrency', async (t) => {
  const { work: run, most } = createMost()
  const { app, work } = await createStoredApp(t, run, {}, { concurrency: 2 })
  app.get('/', async (request) => {
    for (let count = 0; count < 5; count++) {
      request.backgroundTasks.add(work, count)
      request.backgroundTasks.add(run)
      app.backgroundTasks.add(run)
    }
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(most(), 2)
  t.match(app.backgroundTasks.stats(), { completed: 15 })
})

t.test('the stored tasks of a request do not wait for each other', async (t) => {
  let running = 0
  const all = createLatch()
  const { app, work } = await createStoredApp(t, async () => {
    if (++running === 3) all.resolve()
    await all.promise
  })
  app.get('/', async (request) => {
    for (let count = 0; count < 3; count++) request.backgroundTasks.add(work, count)
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(running, 3)
})

t.test('stored tasks count for maxPending and size', async (t) => {
  const release = createLatch()
  const { app, work } = await createStoredApp(t, () => release.promise, {}, { maxPending: 3, concurrency: 1 })
  app.get('/', async (request) => {
    request.backgroundTasks.add(work, 1)
    request.backgroundTasks.add(work, 2, { delay: 60_000 })
    await request.backgroundTasks.flush()
    request.backgroundTasks.add(() => {})
    t.throws(() => request.backgroundTasks.add(work, 3), { code: 'FST_BGT_FULL', statusCode: 503 })
    t.equal(request.backgroundTasks.size, 3)
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  release.resolve()
})

// retry, timeout, progress

t.test('a stored task is retried with its backoff, and each retry is logged', async (t) => {
  const attempts: number[] = []
  const errors: unknown[] = []
  const { app, engine, log, work } = await createStoredApp(t, (payload, { attempt }) => {
    attempts.push(attempt)
    throw Object.assign(new Error(`attempt ${attempt}`), { code: 'E_AGAIN' })
  }, { retry: { retries: 2, delay: 100, factor: 3, jitter: false } }, {
    onError: (error, task) => { errors.push([(error as Error).message, task.attempt]) }
  })
  await app.ready()
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add(work, {})
  await turnUntil(() => task.state === 'delayed')
  tick(99)
  await nextTurn()
  t.same(attempts, [1])
  tick(1)
  await turnUntil(() => attempts.length === 2 && task.state === 'delayed')
  tick(300)
  await app.backgroundTasks.idle()
  t.same(attempts, [1, 2, 3])
  t.same(errors, [['attempt 3', 3]])
  t.match(log.taskLines(), [
    { level: 'warn', msg: 'background task failed, will be retried', attempt: 1, delay: 100, task: 'work', taskId: task.id },
    { level: 'warn', attempt: 2, delay: 300 },
    { level: 'error', msg: 'background task failed', attempt: 3, err: { message: 'attempt 3' } }
  ])
  await agree(t, engine, task, { state: 'failed', attempt: 3, error: { name: 'Error', code: 'E_AGAIN', message: 'attempt 3' } })
  t.strictSame(Object.keys(task.toJSON().error!), ['name', 'code', 'message'])
  t.match(app.backgroundTasks.stats(), { failed: 1, retries: 2 })
})

t.test('each attempt of a stored task has its timeout, whose signal is its own', async (t) => {
  const signals: AbortSignal[] = []
  const { app, engine, work } = await createStoredApp(t, async (payload, { signal }) => {
    signals.push(signal)
    await new Promise(() => {})
  }, { timeout: 100, retry: { retries: 1, delay: 5, jitter: false } })
  await app.ready()
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add(work, {})
  await turnUntil(() => signals.length === 1)
  tick(100)
  await turnUntil(() => task.state === 'delayed')
  t.match(signals[0]?.reason, { code: 'FST_BGT_TIMEOUT' })
  await nextTurn()
  tick(5)
  await turnUntil(() => signals.length === 2)
  t.equal(signals[1]?.aborted, false)
  tick(100)
  await app.backgroundTasks.idle()
  await agree(t, engine, task, { state: 'failed', attempt: 2, error: { code: 'FST_BGT_TIMEOUT', message: 'task "work" timed out after 100 ms' } })
})

t.test('progress of a stored task is seen by get, as it was when reported', async (t) => {
  const [reported, release] = [createLatch(), createLatch()]
  const { app, engine, work } = await createStoredApp(t, async (payload, task) => {
    const progress = { done: 1, of: 3 }
    task.progress(progress)
    progress.done = 99
    reported.resolve()
    await release.promise
    t.throws(() => { task.progress(1n) }, { code: 'FST_BGT_INVALID_PAYLOAD', message: /^progress must be JSON/ })
    task.progress(1)
  })
  await app.ready()
  const task = app.backgroundTasks.add(work, {})
  await reported.promise
  await agree(t, engine, task, { state: 'active', progress: { done: 1, of: 3 } })
  release.resolve()
  await app.backgroundTasks.idle()
  task.progress(0.2)
  await agree(t, engine, task, { state: 'completed', progress: 1 })
})

t.test('progress may be null or false, and a new attempt keeps the last', async (t) => {
  for (const value of [null, false, 0, '', [], { a: null }]) {
    const { app, engine, work } = await createStoredApp(t, (payload, task) => {
      if (task.attempt === 1) {
        task.progress(value)
        throw new Error('again')
      }
    }, { retry: { retries: 1, delay: 0 } })
    await app.ready()
    const task = app.backgroundTasks.add(work, {})
    await app.backgroundTasks.idle()
    await agree(t, engine, task, { state: 'completed' })
    t.strictSame(task.toJSON().progress, value)
  }
})

// context, logs, channels

t.test('a stored task runs in the async context of add, and logs with the id of its request', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const { app, log, work } = await createStoredApp(t, (payload, task) => {
    seen.push(storage.getStore())
    task.log.info('hello from a background task')
  }, { retry: 0 })
  app.get('/', async (request) => {
    storage.run(request.id, () => request.backgroundTasks.add(work, {}))
    return request.id
  })
  const { body: reqId } = await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(seen, [reqId])
  t.match(log.taskLines(), [{ msg: 'hello from a background task', reqId, task: 'work' }, { msg: 'background task completed', reqId }])
})

t.test('the channels publish a stored task once when added, and each of its attempts', async (t) => {
  const seen: unknown[] = []
  const { app, work } = await createStoredApp(t, (payload, { attempt }) => { if (attempt === 1) throw new Error('again') }, { retry: { retries: 1, delay: 0 } })
  const onAdd = (message: any): void => { seen.push(['add', message.task.name, message.request?.url]) }
  subscribe('fastify-background-tasks.add', onAdd)
  const run = tracingChannel<any, any>('fastify-background-tasks.run')
  const ignore = (): void => {}
  const handlers = {
    start: ({ task, request }: any) => { seen.push(['start', task.attempt, request?.url]) },
    asyncEnd: ({ task }: any) => { seen.push(['end', task.state]) },
    end: ignore,
    asyncStart: ignore,
    error: ignore
  }
  run.subscribe(handlers)
  t.teardown(() => {
    unsubscribe('fastify-background-tasks.add', onAdd)
    run.unsubscribe(handlers)
  })
  app.get('/', async (request) => { request.backgroundTasks.add(work, {}) })
  await app.inject('/')
  await app.backgroundTasks.idle()
  await nextTurn()
  t.same(seen, [['add', 'work', '/'], ['start', 1, '/'], ['end', 'delayed'], ['start', 2, '/'], ['end', 'completed']])
})

// get and history

t.test('get finds the last finished ones, as many as history says', async (t) => {
  for (const history of [0, 1, 2]) {
    const { app, engine, work } = await createStoredApp(t, () => {}, {}, { history })
    await app.ready()
    const ids: string[] = []
    for (let index = 0; index < 3; index++) {
      ids.push(app.backgroundTasks.add(work, index).id)
      await app.backgroundTasks.idle()
    }
    await nextTurn()
    const found = await Promise.all(ids.map(async (id) => [await app.backgroundTasks.get(id), await engine.get(id)].filter(Boolean).length))
    t.same(found, [0, 0, 0].fill(2, 3 - history))
  }
})

t.test('a snapshot that its reader changes is unchanged for the next one', async (t) => {
  const { app, work } = await createStoredApp(t, (payload, task) => {
    task.progress({ step: 1 })
    return { bytes: 7 }
  }, { result: Type.Object({ bytes: Type.Integer() }) })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, {})
  await app.backgroundTasks.idle()
  const snapshot = await app.backgroundTasks.get(id) as any
  snapshot.state = 'changed'
  snapshot.result.bytes = 8
  snapshot.progress.step = 2
  t.match(await app.backgroundTasks.get(id), { state: 'completed', result: { bytes: 7 }, progress: { step: 1 } })
})

t.test('ids that nobody has are unknown', async (t) => {
  const { app } = await createStoredApp(t, () => {})
  await app.ready()
  for (const id of ['', 'x', '__proto__', 'constructor', 'x'.repeat(100_000), '7f7a8a10-18d0-4cff-8e82-2bf128d80538']) {
    t.equal(await app.backgroundTasks.get(id), undefined)
    t.equal(await app.backgroundTasks.cancel(id, 'no'), false)
  }
})

t.test('a process that is no worker stores and does not run', async (t) => {
  const { app, engine, work } = await createStoredApp(t, () => { t.fail('this is no worker') }, {}, { worker: false })
  app.get('/', async (request) => request.backgroundTasks.add(work, {}).id)
  const { body: id } = await app.inject('/')
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  t.equal(engine.batches.length, 1)
  t.match(await app.backgroundTasks.get(id), { state: 'waiting' })
  t.match(app.backgroundTasks.stats(), { waiting: 1 })
  t.equal(await app.backgroundTasks.cancel(id), true)
  await app.backgroundTasks.idle()
})
