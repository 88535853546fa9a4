import t from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { type Change, createDistantEngine, createEngine, createHeldEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { SharedStore } from '../support/shared-store.js'
import { createStoredApp } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'
import { until } from '../support/until.js'

t.test('a failed task runs again under its id, from attempt 1, and is found, counted and waited for', async (t) => {
  let isLucky = false
  const release = createLatch()
  const seen: unknown[] = []
  const { app, engine, work, log } = await createStoredApp(t, async (payload, task) => {
    seen.push([payload, task.attempt, task.progress(0.5)])
    if (!isLucky) throw new Error('no luck')
    await release.promise
    return { lucky: true }
  }, { retry: { retries: 1, delay: 0 }, result: {} })
  app.get('/', async (request) => request.backgroundTasks.add(work, { list: [] }).id)
  const { body: id } = await app.inject('/')
  await app.backgroundTasks.idle()
  const { createdAt } = (await app.backgroundTasks.get(id))!
  await nextTurn()
  isLucky = true
  t.equal(await app.backgroundTasks.retry(id), true)
  await turnUntil(() => app.backgroundTasks.stats().active === 1)
  t.match(await app.backgroundTasks.get(id), { id, state: 'active', attempt: 1, createdAt, progress: 0.5, error: undefined, finishedAt: undefined })
  t.match(await app.backgroundTasks.list({ state: 'active' }), { tasks: [{ id, createdAt, reqId: 'req-1', where: 'process' }] })
  t.same((await app.backgroundTasks.list({ state: 'failed' })).tasks, [])
  release.resolve()
  await app.backgroundTasks.idle()
  t.match(await app.backgroundTasks.get(id), { id, state: 'completed', attempt: 1, createdAt, result: { lucky: true } })
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0, completed: 1, failed: 1, retries: 1 })
  t.same(seen, [1, 2, 1].map((attempt) => [{ list: [] }, attempt, undefined]))
  t.match(log.taskLines().at(-1), { msg: 'background task completed', taskId: id, reqId: 'req-1', attempt: 1 })
  await nextTurn()
  t.match(await engine.get(id), { state: 'completed', attempt: 1 })
  t.equal(await app.backgroundTasks.retry(id), false, 'it has completed')
})

t.test('a task that was cancelled runs again, and the object that add returned stays as it ended', async (t) => {
  const ran: unknown[] = []
  let isHeld = true
  const { app, work } = await createStoredApp(t, async (payload, task) => {
    ran.push(payload)
    if (isHeld) await new Promise((resolve) => { task.signal.addEventListener('abort', resolve) })
  }, {}, { concurrency: 1 })
  await app.ready()
  const tasks = [
    app.backgroundTasks.add(work, 'active'),
    app.backgroundTasks.add(work, 'waiting', { priority: 3 }),
    app.backgroundTasks.add(work, 'delayed', { delay: 60_000, key: 'k' })
  ]
  await turnUntil(() => tasks[0]!.state === 'active' && tasks[2]!.state === 'delayed')
  for (const task of tasks.reverse()) t.equal(await app.backgroundTasks.cancel(task.id), true)
  isHeld = false
  for (const { id } of tasks.reverse()) t.equal(await app.backgroundTasks.retry(id), true)
  await app.backgroundTasks.idle()
  t.same(ran, ['active', 'active', 'waiting', 'delayed'])
  for (const task of tasks) {
    t.equal(task.state, 'cancelled')
    t.match(await app.backgroundTasks.get(task.id), { state: 'completed', attempt: 1 })
  }
})

t.test('what has not ended, is a function, was skipped or is unknown does not run again', async (t) => {
  const release = createLatch()
  const { app, work } = await createStoredApp(t, () => release.promise, {}, { concurrency: 1 })
  app.get('/', async (request) => request.backgroundTasks.add(work, 1, { when: 'error' }).id)
  await app.ready()
  const failed = app.backgroundTasks.add(() => { throw new Error('no luck') })
  const { id } = failed
  const { body: skipped } = await app.inject('/')
  await app.backgroundTasks.idle()
  const active = app.backgroundTasks.add(work, 1)
  const waiting = app.backgroundTasks.add(work, 1)
  const delayed = app.backgroundTasks.add(work, 1, { delay: 60_000 })
  await turnUntil(() => active.state === 'active' && delayed.state === 'delayed')
  t.match(await app.backgroundTasks.get(skipped), { state: 'skipped' })
  for (const unfit of [id, skipped, active.id, waiting.id, delayed.id, 'unknown']) t.equal(await app.backgroundTasks.retry(unfit), false, unfit)
  t.match(app.backgroundTasks.stats(), { active: 1, waiting: 1, delayed: 1, failed: 1 })
  release.resolve()
})

t.test('a task that runs again takes its key, unless an unfinished task has it', async (t) => {
  const release = createLatch()
  let isLucky = false
  const { app, work } = await createStoredApp(t, () => {
    if (!isLucky) throw new Error('no luck')
    return release.promise
  })
  await app.ready()
  const first = app.backgroundTasks.add(work, 1, { key: 'k' })
  await app.backgroundTasks.idle()
  isLucky = true
  const second = app.backgroundTasks.add(work, 2, { key: 'k', delay: 60_000 })
  await turnUntil(() => second.state === 'delayed')
  t.equal(await app.backgroundTasks.retry(first.id), false)
  t.match(await app.backgroundTasks.get(first.id), { state: 'failed' })
  second.cancel()
  t.same(await Promise.all([app.backgroundTasks.retry(first.id), app.backgroundTasks.retry(first.id)]), [true, false])
  const again: Task = app.backgroundTasks.add(work, 3, { key: 'k' })
  t.equal(again.id, first.id)
  t.not(again, first)
  release.resolve()
  await app.backgroundTasks.idle()
  t.match(again.toJSON(), { id: first.id, state: 'completed' })
})

t.test('the last ended tasks can run again, as many as the history says, whatever else has ended since', async (t) => {
  const ran: unknown[] = []
  const { app, work } = await createStoredApp(t, (payload) => {
    ran.push(payload)
    throw new Error('no luck')
  }, {}, { history: 2 })
  await app.ready()
  const tasks = []
  for (const payload of [1, 2, 3]) {
    tasks.push(app.backgroundTasks.add(work, payload))
    await app.backgroundTasks.idle()
  }
  for (let functions = 0; functions < 3; functions++) t.ok(app.backgroundTasks.add(() => {}).id)
  await app.backgroundTasks.idle()
  t.same((await app.backgroundTasks.list({ state: 'failed' })).tasks.map(({ id, where }) => [id, where]), [[tasks[2]!.id, 'process'], [tasks[1]!.id, 'process']])
  for (const [index, isKept] of [[0, false], [1, true], [2, true]] as const) {
    t.equal(await app.backgroundTasks.retry(tasks[index]!.id), isKept)
    await app.backgroundTasks.idle()
  }
  t.same(ran, [1, 2, 3, 2, 3])
})

t.test('onError may have its task run again', async (t) => {
  const retried: boolean[] = []
  let runs = 0
  const { app, work } = await createStoredApp(t, () => {
    if (++runs === 1) throw new Error('no luck')
  }, {}, { async onError (error, { id }) { retried.push(error instanceof Error && await app.backgroundTasks.retry(id)) } })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, 1)
  await app.backgroundTasks.idle()
  t.same(retried, [true])
  t.match(await app.backgroundTasks.get(id), { state: 'completed' })
})

t.test('a task that runs again keeps its timeout, its retries and what is around it, and can be cancelled', async (t) => {
  const around: string[] = []
  const asked: string[] = []
  const { app, work } = await createStoredApp(t, (payload, task) => new Promise((resolve) => { task.signal.addEventListener('abort', resolve) }), {
    timeout: 20,
    retry: { retries: 1, delay: 0, retryIf: (error) => asked.push((error as { code: string }).code) > 0 },
    around: async (task, run) => {
      around.push(task.id)
      await run()
    }
  })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, 1)
  await app.backgroundTasks.idle()
  t.equal(await app.backgroundTasks.retry(id), true)
  await app.backgroundTasks.idle()
  t.match(await app.backgroundTasks.get(id), { state: 'failed', attempt: 2, error: { code: 'FST_BGT_TIMEOUT' } })
  t.same(around, [id, id, id, id])
  t.same(asked, ['FST_BGT_TIMEOUT', 'FST_BGT_TIMEOUT'])
  t.equal(await app.backgroundTasks.retry(id), true)
  t.equal(await app.backgroundTasks.cancel(id, 'enough'), true)
  t.match(await app.backgroundTasks.get(id), { state: 'cancelled' })
  await app.backgroundTasks.idle()
  await nextTurn()
  t.equal(await app.backgroundTasks.retry(id), true, 'once more')
})

t.test('close waits for a task that runs again, and a closed app runs none', async (t) => {
  const release = createLatch()
  let runs = 0
  const { app, work } = await createStoredApp(t, () => {
    if (++runs === 1) throw new Error('no luck')
    return release.promise
  }, {}, { closeTimeout: 10_000 })
  await app.ready()
  const [{ id }, cancelled] = [app.backgroundTasks.add(work, 1), app.backgroundTasks.add(work, 1)]
  cancelled.cancel()
  await app.backgroundTasks.idle()
  t.equal(await app.backgroundTasks.retry(id), true)
  await turnUntil(() => runs === 2)
  const closed = app.close()
  release.resolve()
  await closed
  t.match(await app.backgroundTasks.get(id), { state: 'completed' })
  t.equal(await app.backgroundTasks.retry(cancelled.id), false)
  t.equal(runs, 2)
})

t.test('a task that waits again where nothing runs it is named at close', async (t) => {
  const { app, work, log } = await createStoredApp(t, () => {}, {}, { worker: false })
  await app.ready()
  const task = app.backgroundTasks.add(work, 1)
  await nextTurn()
  task.cancel()
  t.equal(await app.backgroundTasks.retry(task.id), true)
  t.match(await app.backgroundTasks.get(task.id), { state: 'waiting' })
  await app.close()
  t.match(log.lines, [{ msg: 'background tasks left unfinished', tasks: [{ id: task.id }] }])
})

t.test('before the app is ready nothing runs again', async (t) => {
  const { app, work } = await createStoredApp(t, () => {})
  const task = app.backgroundTasks.add(work, 1)
  await nextTurn()
  task.cancel()
  t.equal(await app.backgroundTasks.retry(task.id), false)
  await app.ready()
  t.equal(await app.backgroundTasks.retry(task.id), true)
  await app.backgroundTasks.idle()
  t.match(await app.backgroundTasks.get(task.id), { state: 'completed' })
})

t.test('with an engine that cannot, retry rejects, whatever the id', async (t) => {
  const app = await createApp(t, { engine: new SharedStore().createEngine() })
  await t.rejects(app.backgroundTasks.retry('x'), {
    code: 'FST_BGT_ENGINE', statusCode: 503, message: 'background tasks could not be run again: this engine cannot', cause: { message: /"retry"/ }
  })
})

t.test('when the engine does not answer, retry rejects', async (t) => {
  const cause = new Error('away')
  const change: Change = () => ({ async retry () { throw cause } })
  for (const engine of [createEngine(change), createDistantEngine(change)]) {
    const app = await createApp(t, { engine })
    await t.rejects(app.backgroundTasks.retry('x'), { code: 'FST_BGT_ENGINE', cause })
  }
})

t.test('a task of a store that others share runs again, also where it was cancelled while it was stored', async (t) => {
  const ran: unknown[] = []
  const { engine, asked, release } = createHeldEngine(createDistantEngine)
  const { app, work } = await createStoredApp(t, (payload) => { ran.push(payload) }, {}, { engine })
  await app.ready()
  const task = app.backgroundTasks.add(work, 1, { delay: 60_000 })
  await asked
  task.cancel()
  release()
  await app.backgroundTasks.idle()
  t.match(await app.backgroundTasks.get(task.id), { state: 'cancelled' })
  t.equal(await app.backgroundTasks.retry(task.id), true)
  await until(async () => (await app.backgroundTasks.get(task.id))?.state === 'completed')
  t.same(ran, [1])
})
