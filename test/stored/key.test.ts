import t from 'tap'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { type Handler, createStoredApp, named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

t.test('while a task with the key is unfinished, adding gives that one', async (t) => {
  const release = createLatch()
  const ran: unknown[] = []
  const { app, engine, work } = await createStoredApp(t, (payload) => {
    ran.push(payload)
    return release.promise
  })
  app.get('/', async (request) => {
    const first = request.backgroundTasks.add(work, 1, { key: 'k' })
    const again = request.backgroundTasks.add(work, 2, { key: 'k' })
    t.equal(again, first)
    t.equal(request.backgroundTasks.size, 1)
    return first.id
  })
  const { body: id } = await app.inject('/')
  for (const state of ['waiting', 'active']) {
    const task = app.backgroundTasks.add(work, 3, { key: 'k' })
    t.equal(task.id, id)
    t.equal(task.state, state)
    await turnUntil(() => task.state === 'active')
  }
  release.resolve()
  await app.backgroundTasks.idle()
  t.same(ran, [1])
  t.equal(engine.batches.flat().length, 1)
})

t.test('a delayed task, and one before a retry, keep their key', async (t) => {
  const { app, work } = await createStoredApp(t, () => { throw new Error('again') }, { retry: { retries: 1, delay: 1000, jitter: false } })
  await app.ready()
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add(work, 1, { key: 'k', delay: 1000 })
  await turnUntil(() => task.state === 'delayed')
  t.equal(app.backgroundTasks.add(work, 2, { key: 'k' }), task)
  tick(1000)
  await turnUntil(() => app.backgroundTasks.stats().retries === 1)
  t.equal(app.backgroundTasks.add(work, 3, { key: 'k' }), task)
  task.cancel()
})

t.test('a key belongs to the name of its task', async (t) => {
  const ran: unknown[] = []
  const handler: Handler = (payload) => { ran.push(payload) }
  const [a, b] = [named(handler), named(handler, { name: 'other' })]
  const app = await createApp(t, { tasks: [a, b] })
  await app.ready()
  app.backgroundTasks.add(a, 1, { key: 'k' })
  app.backgroundTasks.add(b, 2, { key: 'k' })
  app.backgroundTasks.add(a, 3, { key: 'k2' })
  app.backgroundTasks.add(a, 4)
  app.backgroundTasks.add(a, 5)
  await app.backgroundTasks.idle()
  t.same(ran, [1, 2, 3, 4, 5])
})

t.test('an invalid payload is refused although a task has the key', async (t) => {
  const { app, work } = await createStoredApp(t, () => {}, { payload: { type: 'integer' } })
  await app.ready()
  app.backgroundTasks.add(work, 1, { key: 'k' })
  t.throws(() => app.backgroundTasks.add(work, 'x', { key: 'k' }), { code: 'FST_BGT_INVALID_PAYLOAD' })
  await app.backgroundTasks.idle()
})

for (const [title, end] of [
  ['has completed', async () => {}],
  ['has failed', async () => { throw new Error('no') }]
] as const) {
  t.test(`when the task with the key ${title}, the next one is another, as soon as idle resolves`, async (t) => {
    const ran: unknown[] = []
    const { app, work } = await createStoredApp(t, (payload) => {
      ran.push(payload)
      return end()
    })
    await app.ready()
    const first = app.backgroundTasks.add(work, 1, { key: 'k' })
    await app.backgroundTasks.idle()
    const second = app.backgroundTasks.add(work, 2, { key: 'k' })
    t.not(second, first)
    await app.backgroundTasks.idle()
    t.same(ran, [1, 2])
  })
}

for (const state of ['waiting', 'delayed', 'active'] as const) {
  t.test(`when the task with the key is cancelled while ${state}, the next one runs, added at once`, async (t) => {
    const ran: unknown[] = []
    const { app, work } = await createStoredApp(t, async (payload, task) => {
      ran.push(payload)
      if (payload === 1) await new Promise((resolve) => { task.signal.addEventListener('abort', resolve) })
    })
    await app.ready()
    const first = app.backgroundTasks.add(work, 1, { key: 'k', ...(state === 'delayed' && { delay: 60_000 }) })
    await turnUntil(() => first.state === state)
    t.equal(first.cancel(), true)
    const second = app.backgroundTasks.add(work, 2, { key: 'k' })
    t.not(second, first)
    for (let turn = 0; turn < 10; turn++) await nextTurn()
    await app.backgroundTasks.idle()
    t.same(ran, state === 'active' ? [1, 2] : [2])
    t.equal(second.state, 'completed')
  })
}
