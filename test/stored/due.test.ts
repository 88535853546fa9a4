import t, { type Test } from 'tap'
import type { HandlerTaskDefinition, RequestBackgroundTasks } from '../../index.js'
import { useFakeClock, useFakeTimers } from '../support/clock.js'
import { createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { type Handler, type StoredApp, agree, createStoredApp } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

interface Scene extends StoredApp {
  tick: (ms: number) => void
  /** Takes the only slot of the engine until it is let go. */
  block: () => Promise<() => void>
}

/** An app that runs one task at a time and may close for a long time. */
async function createScene (t: Test, handler: Handler, more: Partial<HandlerTaskDefinition> = {}): Promise<Scene> {
  const release = createLatch()
  const stored = await createStoredApp(t, (payload, task) => payload === 'blocker' ? release.promise : handler(payload, task), more, {
    concurrency: 1, closeTimeout: 60_000
  })
  const { app, work } = stored
  await app.ready()
  const tick = useFakeTimers(t)
  async function block (): Promise<() => void> {
    const task = app.backgroundTasks.add(work, 'blocker')
    await turnUntil(() => task.state === 'active')
    return release.resolve
  }
  return { ...stored, tick, block }
}

async function closeAfter (app: StoredApp['app'], release: () => void): Promise<void> {
  const closed = app.close()
  for (let turn = 0; turn < 10; turn++) await nextTurn()
  release()
  await closed
}

t.test('a delayed task that is due and finds no free slot waits: in its state, in get and in stats', async (t) => {
  const { app, engine, work, tick, block } = await createScene(t, () => {})
  const release = await block()
  const task = app.backgroundTasks.add(work, 1, { delay: 5000 })
  await agree(t, engine, task, { state: 'delayed' })
  tick(4999)
  await agree(t, engine, task, { state: 'delayed' })
  tick(1)
  await agree(t, engine, task, { state: 'waiting', attempt: 1 })
  t.match(await app.backgroundTasks.get(task.id), { state: 'waiting' })
  t.match(app.backgroundTasks.stats(), { waiting: 1, delayed: 0, active: 1 })
  release()
  await app.backgroundTasks.idle()
  t.match(app.backgroundTasks.stats(), { waiting: 0, delayed: 0, active: 0, completed: 2 })
})

t.test('close waits for a delayed task that is due and finds no free slot', async (t) => {
  const ran: unknown[] = []
  const { app, log, work, tick, block } = await createScene(t, (payload) => { ran.push(payload) })
  const release = await block()
  const task = app.backgroundTasks.add(work, 'due', { delay: 5000 })
  await turnUntil(() => task.state === 'delayed')
  tick(5000)
  await closeAfter(app, release)
  t.same(ran, ['due'])
  t.equal(task.state, 'completed')
  t.same(log.taskLines().filter(({ level }) => level !== 'debug'), [])
})

t.test('close waits for a retry that is due and finds no free slot', async (t) => {
  const { app, log, work, tick, block } = await createScene(t, (payload, { attempt }) => {
    if (attempt === 1) throw new Error('once')
  }, { retry: { retries: 1, delay: 5000, jitter: false } })
  const task = app.backgroundTasks.add(work, 'due')
  await turnUntil(() => task.state === 'delayed')
  const release = await block()
  tick(5000)
  await nextTurn()
  t.match(app.backgroundTasks.stats(), { waiting: 1, delayed: 0 })
  await closeAfter(app, release)
  t.match(task.toJSON(), { state: 'completed', attempt: 2 })
  t.same(log.taskLines().filter(({ level }) => level === 'error'), [])
})

t.test('a delayed task that is due waits too while functions hold the slots', async (t) => {
  const ran: unknown[] = []
  const { app, work, tick } = await createScene(t, (payload) => { ran.push(payload) })
  const held = createLatch()
  app.backgroundTasks.add(() => held.promise)
  const task = app.backgroundTasks.add(work, 'due', { delay: 5000 })
  await turnUntil(() => task.state === 'delayed')
  tick(5000)
  for (let turn = 0; turn < 3; turn++) await nextTurn()
  t.equal(task.state, 'waiting')
  t.match(app.backgroundTasks.stats(), { waiting: 1, delayed: 0 })
  await closeAfter(app, held.resolve)
  t.same(ran, ['due'])
})

t.test('a retry that is due and waits has started: clear leaves it alone', async (t) => {
  const { app, work, tick, block } = await createScene(t, (payload, { attempt }) => {
    if (attempt === 1) throw new Error('once')
  }, { retry: { retries: 1, delay: 5000, jitter: false } })
  const list = app.backgroundTasks
  const task = list.add(work, 'due')
  await turnUntil(() => task.state === 'delayed')
  const release = await block()
  tick(5000)
  await nextTurn()
  t.equal(task.state, 'waiting')
  t.equal((task as unknown as { owner: RequestBackgroundTasks }).owner.clear(), 0)
  release()
  await list.idle()
  t.equal(task.state, 'completed')
})

t.test('a delayed task that is due and waits is cancelled like any other', async (t) => {
  const { app, engine, work, tick, block } = await createScene(t, () => { t.fail('it was cancelled') })
  const release = await block()
  const task = app.backgroundTasks.add(work, 'due', { delay: 5000 })
  await turnUntil(() => task.state === 'delayed')
  tick(5000)
  await nextTurn()
  t.equal(task.cancel(), true)
  await agree(t, engine, task, { state: 'cancelled' })
  release()
  await app.backgroundTasks.idle()
})

t.test('a task that is due has waited since it was, not since it was added', async (t) => {
  const { app, work, tick, block } = await createScene(t, () => {})
  const release = await block()
  const task = app.backgroundTasks.add(work, 'due', { delay: 5000 })
  await turnUntil(() => task.state === 'delayed')
  const until = performance.now() + 50
  await turnUntil(() => performance.now() > until)
  tick(5000)
  await nextTurn()
  t.ok(app.backgroundTasks.stats().oldestWaitingMs < 50)
  release()
  await app.backgroundTasks.idle()
})

t.test('a delay that is over before the app is ready is no longer one when it is', async (t) => {
  const { app, work } = await createStoredApp(t, () => {}, {}, { worker: false })
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add(work, 1, { delay: 5000 })
  await turnUntil(() => task.state === 'delayed')
  tick(5000)
  await app.ready()
  t.equal(task.state, 'waiting')
})

for (const history of [0, 1]) {
  t.test(`a delayed task that was given up before the engine stored it stays failed when it is due, with history ${history}`, async (t) => {
    const answer = createLatch()
    const engine = createEngine((inner) => ({
      async add (tasks) {
        await answer.promise
        return await inner.add(tasks)
      }
    }))
    // Of a process that does not run tasks, so that it is told that this one is due.
    const { app, work } = await createStoredApp(t, () => {}, {}, { engine, history, worker: false, storeTimeout: 50 })
    await app.ready()
    const tick = useFakeClock(t)
    const task = app.backgroundTasks.add(work, 1, { delay: 5000 })
    await nextTurn()
    tick(50)
    await nextTurn()
    t.match(task.toJSON(), { state: 'failed', error: { code: 'FST_BGT_ENGINE' } })
    answer.resolve()
    await nextTurn()
    tick(5000)
    t.equal((await engine.get(task.id))?.state, 'waiting', 'it was stored all the same')
    t.equal(task.state, 'failed')
    t.match(app.backgroundTasks.stats(), { waiting: 0, delayed: 0, failed: 1 })
  })
}
