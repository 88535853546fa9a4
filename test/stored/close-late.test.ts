import t from 'tap'
import type { TaskState } from '../../index.js'
import { taskRoutes } from '../../lib/routes.js'
import { createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { createStoredApp } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const endless = { closeTimeout: 60_000 }

function unfinished (lines: Array<{ msg: string, tasks?: unknown }>): unknown[] {
  return lines.filter(({ msg }) => msg === 'background tasks left unfinished').map(({ tasks }) => tasks)
}

for (const [title, options] of [['a retry', {}], ['a delayed start', { delay: 60_000 }]] as const) {
  t.test(`a task that is added while the app closes may have the key of one that waited for ${title}`, async (t) => {
    const ran: unknown[] = []
    const [goOn, active] = [createLatch(), createLatch()]
    const { app, work } = await createStoredApp(t, async (payload, task) => {
      if (payload === 'fails') throw new Error('no luck')
      if (payload === 'first') {
        active.resolve()
        await goOn.promise
        task.server.backgroundTasks.add(work, 'second', { key: 'a' })
      }
      ran.push(payload)
    }, { retry: { retries: 1, delay: 60_000, jitter: false } }, endless)
    await app.ready()
    const task = app.backgroundTasks.add(work, 'delay' in options ? 'never' : 'fails', { key: 'a', ...options })
    await turnUntil(() => task.state === 'delayed')
    app.backgroundTasks.add(work, 'first')
    await active.promise
    const closed = app.close()
    await turnUntil(() => task.state !== 'delayed')
    goOn.resolve()
    await closed
    t.same(ran, ['first', 'second'])
  })
}

t.test('the engine forgets a task that ends while it waits for a retry', async (t) => {
  const { app, engine, work } = await createStoredApp(t, () => { throw new Error('no luck') }, { retry: 1 }, endless)
  await app.ready()
  const task = app.backgroundTasks.add(work, 1, { key: 'a' })
  await turnUntil(() => task.state === 'delayed')
  await app.close()
  t.equal(task.state, 'failed')
  t.not((await engine.get(task.id))?.state, 'delayed')
})

for (const [title, worker, options, state] of [
  ['a delay', true, { delay: 60_000 }, 'delayed'],
  ['a worker', false, {}, 'cancelled']
] as Array<[string, boolean, object, TaskState]>) {
  t.test(`close does not wait for a task that is added while it waits, and that is for ${title}`, async (t) => {
    const goOn = createLatch()
    const { app, log, work } = await createStoredApp(t, () => { t.fail('it ran') }, {}, { ...endless, worker })
    await app.ready()
    app.backgroundTasks.add(async () => {
      await goOn.promise
      app.backgroundTasks.add(work, 1, options)
    })
    await nextTurn()
    const closed = app.close()
    for (let turn = 0; turn < 5; turn++) await nextTurn()
    goOn.resolve()
    await closed
    t.match(unfinished(log.lines), [[{ name: 'work', state }]])
  })
}

t.test('an app that fails to start does not wait for the tasks that were to run once it is ready', async (t) => {
  const { app, log, work } = await createStoredApp(t, () => { t.fail('it ran') }, {}, endless)
  app.register(async () => {
    app.backgroundTasks.add(work, 1)
    throw new Error('no luck')
  })
  await t.rejects(async () => await app.ready(), { message: 'no luck' })
  await app.close()
  t.match(unfinished(log.lines), [[{ name: 'work', state: 'cancelled' }]])
})

t.test('an app whose engine cannot be closed is closed all the same', async (t) => {
  const engine = createEngine(() => ({ close: async () => { throw new Error('no luck') } }))
  const { app } = await createStoredApp(t, () => {}, {}, { engine })
  await app.ready()
  await t.rejects(async () => { await app.close() }, { message: 'no luck' })
  t.throws(() => app.backgroundTasks.add(() => {}), { code: 'FST_BGT_CLOSED' })
})

t.test('a task that is cancelled by the end of another ends once, and close waits for the rest', async (t) => {
  const goOn = createLatch()
  const { app, work } = await createStoredApp(t, () => { t.fail('it ran') }, {}, endless)
  await app.ready()
  const [first, second] = [app.backgroundTasks.add(work, 1, { delay: 60_000 }), app.backgroundTasks.add(work, 2, { delay: 60_000 })]
  first.signal.addEventListener('abort', () => { second.cancel() })
  let isOver = false
  const slow = app.backgroundTasks.add(async () => {
    await goOn.promise
    isOver = true
  })
  await turnUntil(() => first.state === 'delayed' && second.state === 'delayed' && slow.state === 'active')
  let closedBefore = false
  const closed = app.close().then(() => { closedBefore = !isOver })
  await turnUntil(() => first.state === 'cancelled')
  for (let turn = 0; turn < 10; turn++) await nextTurn()
  goOn.resolve()
  await closed
  t.equal(closedBefore, false)
  t.match(app.backgroundTasks.stats(), { waiting: 0, delayed: 0, active: 0, cancelled: 2, completed: 1 })
})

t.test('a task that close has cancelled before its reply is not skipped too, nor stored', async (t) => {
  const [arrived, goOn, closing] = [createLatch(), createLatch(), createLatch()]
  const { app, engine, work } = await createStoredApp(t, () => { t.fail('it ran') }, {}, { closeTimeout: 0 })
  app.addHook('onClose', async () => {
    closing.resolve()
    await goOn.promise
  })
  app.get('/', async ({ backgroundTasks }, reply) => {
    for (const when of ['always', 'success', 'error'] as const) backgroundTasks.add(work, when, { when, key: when })
    arrived.resolve()
    await closing.promise
    goOn.resolve()
    return await reply.code(500).send('no')
  })
  await app.ready()
  const response = app.inject('/')
  await arrived.promise
  await Promise.all([app.close(), response])
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0, delayed: 0, cancelled: 3, skipped: 0 })
  t.same(engine.batches, [])
  await app.backgroundTasks.idle({ timeout: 1000 })
})

t.test('the key of a task that the deadline cut off is free', async (t) => {
  const ran: unknown[] = []
  const { app, work } = await createStoredApp(t, async (payload, { signal }) => {
    ran.push(payload)
    await new Promise((resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason) }) })
  }, {}, { closeTimeout: 10 })
  app.addHook('onClose', async () => {
    app.backgroundTasks.add(work, 2, { key: 'a' })
    await nextTurn()
    await nextTurn()
  })
  await app.ready()
  const task = app.backgroundTasks.add(work, 1, { key: 'a' })
  await turnUntil(() => task.state === 'active')
  await app.close()
  t.same(ran, [1, 2])
})

t.test('a request that goes on after the end has a closed engine open nothing', async (t) => {
  const [arrived, goOn] = [createLatch(), createLatch()]
  let isClosed = false
  const engine = createEngine((inner) => ({
    watch (id, onChange) {
      t.equal(isClosed, false)
      return inner.watch(id, onChange)
    },
    async close () {
      isClosed = true
      await inner.close()
    }
  }))
  const { app } = await createStoredApp(t, () => {}, {}, { engine })
  app.addHook('onRequest', async () => {
    arrived.resolve()
    await goOn.promise
  })
  await app.register(taskRoutes, { prefix: '/tasks', cancel: true })
  const replies = ['GET', 'DELETE'].map((method) => app.inject({
    method: method as 'GET', url: `/tasks/0f8fad5b-d9cb-469f-a165-70867728950e${method === 'GET' ? '/events' : ''}`
  }))
  await arrived.promise
  await app.close()
  goOn.resolve()
  t.same((await Promise.all(replies)).map(({ statusCode }) => statusCode), [404, 404])
})
