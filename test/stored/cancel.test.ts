import { tracingChannel } from 'node:diagnostics_channel'
import t from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { createEngine, createHeldEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { agree, createStoredApp, named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

t.test('clear cancels stored tasks that have not started, and leaves those that run', async (t) => {
  const release = createLatch()
  const ran: unknown[] = []
  const { app, work } = await createStoredApp(t, (payload) => {
    ran.push(payload)
    return release.promise
  }, {}, { concurrency: 1 })
  let dropped = 0
  const tasks: Task[] = []
  app.get('/', async (request) => {
    for (let index = 0; index < 3; index++) tasks.push(request.backgroundTasks.add(work, index))
    await request.backgroundTasks.flush()
    await turnUntil(() => tasks[0]?.state === 'active')
    dropped = request.backgroundTasks.clear()
    return 'ok'
  })
  await app.inject('/')
  release.resolve()
  await app.backgroundTasks.idle()
  t.equal(dropped, 2)
  t.same(ran, [0])
  t.same(tasks.map(({ state }) => state), ['completed', 'cancelled', 'cancelled'])
})

for (const by of ['the task', 'its id'] as const) {
  for (const state of ['waiting', 'delayed', 'active'] as const) {
    t.test(`a stored task that is ${state} is cancelled by ${by}`, async (t) => {
      const reasons: unknown[] = []
      let runs = 0
      const { app, engine, log, work } = await createStoredApp(t, async (payload, { signal }) => {
        runs++
        await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
        reasons.push(signal.reason)
      }, { retry: 3 })
      await app.ready()
      const task = app.backgroundTasks.add(work, {}, state === 'delayed' ? { delay: 60_000 } : {})
      await Promise.resolve()
      await turnUntil(() => task.state === state)
      const effect = by === 'the task' ? task.cancel('enough') : await app.backgroundTasks.cancel(task.id, 'enough')
      t.equal(effect, true)
      t.equal(task.state, 'cancelled')
      await app.backgroundTasks.idle()
      await agree(t, engine, task, { state: 'cancelled' })
      t.match(task.error, { code: 'FST_BGT_CANCELLED', cause: 'enough' })
      t.match(task.toJSON().error, { code: 'FST_BGT_CANCELLED', message: 'task "work" was cancelled' })
      t.equal(runs, state === 'active' ? 1 : 0)
      if (state === 'active') t.same(reasons, [task.error])
      t.equal(task.cancel(), false)
      t.equal(await app.backgroundTasks.cancel(task.id), false)
      t.equal(log.taskLines().filter(({ msg }) => msg === 'background task cancelled').length, state === 'waiting' ? 0 : 1)
      t.match(app.backgroundTasks.stats(), { cancelled: 1, failed: 0, completed: 0, retries: 0 })
    })
  }
}

t.test('a task that is cancelled before it is stored is not stored', async (t) => {
  const { app, engine, work } = await createStoredApp(t, () => { t.fail('it was cancelled') })
  app.get('/', async (request) => {
    const task = request.backgroundTasks.add(work, 1)
    const { id } = request.backgroundTasks.add(work, 2)
    return [task.cancel(), await app.backgroundTasks.cancel(id), task.state, request.backgroundTasks.size]
  })
  t.same((await app.inject('/')).json(), [true, true, 'cancelled', 0])
  await app.backgroundTasks.idle()
  t.same(engine.batches, [])
})

t.test('a task that is cancelled while it is stored never runs', async (t) => {
  const { engine, asked, release } = createHeldEngine()
  const work = named(() => { t.fail('it was cancelled') })
  const app = await createApp(t, { engine, tasks: [work] })
  let task!: Task
  app.get('/', async (request) => { task = request.backgroundTasks.add(work, {}) })
  const response = app.inject('/')
  await asked
  t.equal(task.cancel(), true)
  release()
  t.equal((await response).statusCode, 200)
  await nextTurn()
  t.equal(task.state, 'cancelled')
  t.equal((await engine.get(task.id))?.state, 'cancelled')
})

t.test('cancelling a task before a retry leaves it at that', async (t) => {
  let runs = 0
  const { app, engine, work } = await createStoredApp(t, () => {
    runs++
    throw new Error('again')
  }, { retry: { retries: 5, delay: 1000, jitter: false } })
  await app.ready()
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add(work, {})
  await turnUntil(() => task.state === 'delayed')
  t.equal(task.cancel(), true)
  tick(1_000_000)
  await nextTurn()
  t.equal(runs, 1)
  await agree(t, engine, task, { state: 'cancelled' })
})

t.test('a task that is cancelled while the engine fails to store it stays cancelled', async (t) => {
  const [asked, fail] = [createLatch(), createLatch()]
  const engine = createEngine(() => ({
    async add () {
      asked.resolve()
      await fail.promise
      throw new Error('no room')
    }
  }))
  const work = named(() => {})
  const app = await createApp(t, { engine, tasks: [work] })
  const tasks: Task[] = []
  app.get('/', async (request) => {
    tasks.push(request.backgroundTasks.add(work, 1), request.backgroundTasks.add(work, 2))
    return 'ok'
  })
  const response = app.inject('/')
  await asked.promise
  t.equal(tasks[0]?.cancel(), true)
  fail.resolve()
  t.equal((await response).statusCode, 200)
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ state }) => state), ['cancelled', 'failed'])
  t.match(app.backgroundTasks.stats(), { cancelled: 1, failed: 1 })
})

t.test('a stored task of an app that is not ready yet is cancelled', async (t) => {
  const { app, engine, work } = await createStoredApp(t, () => { t.fail('it was cancelled') })
  const task = app.backgroundTasks.add(work, {})
  await nextTurn()
  t.equal(engine.batches.length, 1)
  t.equal(task.cancel(), true)
  await app.ready()
  await app.backgroundTasks.idle()
  await agree(t, engine, task, { state: 'cancelled' })
})

t.test('clear drops tasks with a delayed start, and leaves those that wait for a retry', async (t) => {
  const { app, work } = await createStoredApp(t, () => { throw new Error('no luck') }, { retry: { retries: 1, delay: 60_000, jitter: false } })
  app.get('/', async ({ backgroundTasks }) => {
    const retrying = backgroundTasks.add(work, 1)
    const later = backgroundTasks.add(work, 2, { delay: 60_000 })
    await backgroundTasks.flush()
    await turnUntil(() => retrying.state === 'delayed')
    t.equal(backgroundTasks.clear(), 1)
    t.same([retrying.state, later.state], ['delayed', 'cancelled'])
  })
  t.equal((await app.inject('/')).statusCode, 200)
})

t.test('a task that is cancelled as its attempt fails stays cancelled, for the engine too', async (t) => {
  const channel = tracingChannel('fastify-background-tasks.run')
  const onError = (message: unknown): void => { (message as { task: Task }).task.cancel('enough') }
  channel.error.subscribe(onError)
  t.teardown(() => { channel.error.unsubscribe(onError) })
  const { app, engine, work } = await createStoredApp(t, () => { throw new Error('no luck') }, { retry: { retries: 1, delay: 60_000, jitter: false } })
  await app.ready()
  const task = app.backgroundTasks.add(work, 1)
  await turnUntil(() => task.state === 'cancelled')
  await nextTurn()
  t.equal((await engine.get(task.id))?.state, 'cancelled')
  t.equal(await engine.cancel(task.id), false)
})

t.test('the engine is told of a cancellation once, with its reason', async (t) => {
  const calls: unknown[] = []
  const engine = createEngine((inner) => ({
    async cancel (id, reason) {
      calls.push([id, reason])
      return await inner.cancel(id, reason)
    }
  }))
  const { app, work } = await createStoredApp(t, () => new Promise(() => {}), {}, { engine })
  await app.ready()
  const tasks = [app.backgroundTasks.add(work, 1, { delay: 60_000 }), app.backgroundTasks.add(work, 2)]
  await turnUntil(() => tasks[0]?.state === 'delayed' && tasks[1]?.state === 'active')
  for (const task of tasks) task.cancel('enough')
  t.same(calls, tasks.map(({ id }) => [id, 'enough']))
})
