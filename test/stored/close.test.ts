import t, { type Test } from 'tap'
import { type BackgroundTasksOptions, type NamedTask, type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeClock } from '../support/clock.js'
import { createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { SharedStore } from '../support/shared-store.js'
import { createStoredApp, named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const endless = { closeTimeout: 60_000 }

function closeLines (lines: Array<{ msg: string, tasks?: unknown }>): unknown[] {
  return lines.filter(({ msg }) => msg === 'background tasks left unfinished').map(({ tasks }) => tasks)
}

t.test('close waits for stored tasks that run and for those that wait', async (t) => {
  const ran: unknown[] = []
  const { app, log, work } = await createStoredApp(t, async (payload) => {
    await nextTurn()
    ran.push(payload)
  }, {}, { ...endless, concurrency: 1 })
  app.get('/', async (request) => { for (let index = 0; index < 5; index++) request.backgroundTasks.add(work, index) })
  await app.inject('/')
  await app.close()
  t.same(ran, [0, 1, 2, 3, 4])
  t.same(closeLines(log.lines), [])
})

t.test('close waits for a task that is still being stored', async (t) => {
  const ran: unknown[] = []
  const engine = createEngine((inner) => ({
    async add (tasks) {
      for (let turn = 0; turn < 5; turn++) await nextTurn()
      return await inner.add(tasks)
    }
  }))
  const work = named((payload) => { ran.push(payload) })
  const app = await createApp(t, { engine, tasks: [work], ...endless })
  await app.ready()
  app.backgroundTasks.add(work, 1)
  await app.close()
  t.same(ran, [1])
})

t.test('a request in flight, and a task, may add stored tasks while the app closes', async (t) => {
  const ran: unknown[] = []
  const { app, work } = await createStoredApp(t, (payload, task) => {
    ran.push(payload)
    if (payload === 'request') task.server.backgroundTasks.add(work, 'task')
  }, {}, endless)
  const [arrived, closing] = [createLatch(), createLatch()]
  app.addHook('preClose', async () => { closing.resolve() })
  app.get('/', async (request) => {
    arrived.resolve()
    await closing.promise
    request.backgroundTasks.add(work, 'request')
    return 'ok'
  })
  const response = app.inject('/')
  await arrived.promise
  await Promise.all([app.close(), response])
  t.same(ran, ['request', 'task'])
})

t.test('once the app has closed, add throws FST_BGT_CLOSED for named tasks', async (t) => {
  const { app, work } = await createStoredApp(t, () => {})
  await app.ready()
  await app.close()
  const expected = { code: 'FST_BGT_CLOSED', statusCode: 503, message: 'task "work" was added after the app had closed' }
  t.throws(() => app.backgroundTasks.add(work, {}), expected)
  t.throws(() => app.backgroundTasks.add(work, {}, { key: 'k' }), expected)
  t.throws(() => app.backgroundTasks.add(named(() => {}, { name: 'work' }), {}), expected)
})

t.test('delayed tasks are not waited for, and named in the line about unfinished tasks', async (t) => {
  const { app, log, work } = await createStoredApp(t, () => { t.fail('it was not due') }, {}, endless)
  app.get('/', async (request) => {
    const { id } = request.backgroundTasks.add(work, {}, { delay: 60_000 })
    return { id, reqId: request.id }
  })
  const { id, reqId } = (await app.inject('/')).json()
  t.equal((await app.backgroundTasks.get(id))?.state, 'delayed')
  await app.close()
  t.same(closeLines(log.lines), [[{ name: 'work', id, reqId, state: 'delayed' }]])
  t.match(await app.backgroundTasks.get(id), { state: 'cancelled', error: { code: 'FST_BGT_CLOSING' } })
})

/** An app that closes while a function runs, and whose clock goes on meanwhile. */
async function closeSlowly (t: Test, app: Awaited<ReturnType<typeof createStoredApp>>['app'], tick: (ms: number) => void): Promise<void> {
  const [started, release] = [createLatch(), createLatch()]
  app.backgroundTasks.add(async () => {
    started.resolve()
    await release.promise
  })
  await started.promise
  const closed = app.close()
  for (let turn = 0; turn < 10; turn++) await nextTurn()
  tick(10_000)
  for (let turn = 0; turn < 10; turn++) await nextTurn()
  release.resolve()
  await closed
}

t.test('a delayed task does not run while the app closes, however long that takes', async (t) => {
  const ran: unknown[] = []
  const { app, log, work } = await createStoredApp(t, (payload) => { ran.push(payload) }, {}, endless)
  await app.ready()
  const tick = useFakeClock(t)
  const task = app.backgroundTasks.add(work, 'delayed', { delay: 5000 })
  await turnUntil(() => task.state === 'delayed')
  await closeSlowly(t, app, tick)
  t.same(ran, [])
  t.equal(task.state, 'cancelled')
  t.match(closeLines(log.lines), [[{ id: task.id, state: 'delayed' }]])
  t.match(app.backgroundTasks.stats(), { completed: 1, cancelled: 1 })
})

t.test('a task before a retry has failed when the app closes, and does not run again', async (t) => {
  let runs = 0
  const errors: unknown[] = []
  const { app, log, work } = await createStoredApp(t, () => {
    runs++
    throw new Error('again')
  }, { retry: { retries: 3, delay: 5000, jitter: false } }, { ...endless, onError: (error) => { errors.push((error as Error).message) } })
  await app.ready()
  const tick = useFakeClock(t)
  const task = app.backgroundTasks.add(work, {})
  await turnUntil(() => task.state === 'delayed')
  await closeSlowly(t, app, tick)
  t.equal(runs, 1)
  t.equal(task.state, 'failed')
  t.same(errors, ['again'])
  t.equal(log.taskLines().filter(({ level }) => level === 'error').length, 1)
  t.match(app.backgroundTasks.stats(), { failed: 1, completed: 1 })
})

t.test('a stored task that fails while the app closes is not retried', async (t) => {
  const started = createLatch()
  const fail = createLatch()
  let runs = 0
  const { app, log, work } = await createStoredApp(t, async () => {
    runs++
    started.resolve()
    await fail.promise
    throw new Error('again')
  }, { retry: 3 }, endless)
  await app.ready()
  const task = app.backgroundTasks.add(work, {})
  await started.promise
  const closed = app.close()
  await nextTurn()
  fail.resolve()
  await closed
  t.equal(runs, 1)
  t.equal(task.state, 'failed')
  t.match(log.taskLines(), [{ level: 'error', msg: 'background task failed', err: { message: 'again' } }])
})

t.test('after closeTimeout the tasks that wait are cancelled and never run, and the signal of the one that runs aborts', async (t) => {
  const ran: unknown[] = []
  const { app, log, work } = await createStoredApp(t, async (payload, { signal }) => {
    ran.push(payload)
    await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
    ran.push(signal.reason.code)
    throw signal.reason
  }, {}, { closeTimeout: 10, concurrency: 1 })
  await app.ready()
  const tasks = [1, 2, 3].map((payload) => app.backgroundTasks.add(work, payload))
  await turnUntil(() => tasks[0]?.state === 'active')
  await app.close()
  t.same(ran, [1, 'FST_BGT_CLOSING'])
  t.same(tasks.map(({ state }) => state), ['failed', 'cancelled', 'cancelled'])
  t.same(closeLines(log.lines), [tasks.slice(1).map(({ id }) => ({ name: 'work', id, state: 'cancelled' }))])
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0, failed: 1, cancelled: 2, completed: 0 })
})

t.test('a task that has obeyed the abort does not run again, however long closing takes', async (t) => {
  let runs = 0
  const { app, work } = await createStoredApp(t, async (payload, { signal }) => {
    runs++
    await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
    signal.throwIfAborted()
  }, {}, { closeTimeout: 0 })
  const tick = useFakeClock(t)
  app.addHook('onClose', async () => {
    tick(60_000)
    for (let turn = 0; turn < 10; turn++) await nextTurn()
  })
  await app.ready()
  const task = app.backgroundTasks.add(work, {})
  await turnUntil(() => task.state === 'active')
  const closed = app.close()
  while (task.state === 'active') {
    tick(10)
    await nextTurn()
  }
  await closed
  t.equal(runs, 1)
  t.equal(task.state, 'failed')
})

t.test('a process that is no worker does not wait for tasks that it would never run', async (t) => {
  const { app, log, work } = await createStoredApp(t, () => { t.fail('this is no worker') }, {}, { ...endless, worker: false })
  await app.ready()
  const tick = useFakeClock(t)
  const { id } = app.backgroundTasks.add(work, {})
  await nextTurn()
  let isClosed = false
  const closed = app.close().then(() => { isClosed = true })
  for (let turn = 0; turn < 20; turn++) await nextTurn()
  t.equal(isClosed, true)
  tick(60_000)
  await closed
  t.match(closeLines(log.lines), [[{ name: 'work', id, state: 'cancelled' }]])
})

t.test('after close no timer of a delayed task is left', async (t) => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  const { app, work } = await createStoredApp(t, () => { throw new Error('again') }, { retry: { retries: 1, delay: 60_000 } })
  await app.ready()
  const tasks = [app.backgroundTasks.add(work, {}), app.backgroundTasks.add(work, {}, { delay: 60_000 })]
  await turnUntil(() => tasks.every(({ state }) => state === 'delayed'))
  await app.close()
  t.equal(timers(), before)
})

t.test('an app that closes before it is ready names the tasks that it has stored', async (t) => {
  const { app, log, work } = await createStoredApp(t, () => { t.fail('the app was never ready') }, {}, { closeTimeout: 0 })
  const task = app.backgroundTasks.add(work, {})
  await app.close()
  t.equal(task.state, 'cancelled')
  t.same(closeLines(log.lines), [[{ name: 'work', id: task.id, state: 'cancelled' }]])
})

// The engine at shutdown.

/** Notes what happens to an engine, and to the app around it. */
async function createNoted (t: Test, change: object = {}, options: BackgroundTasksOptions = {}) {
  const events: string[] = []
  const engine = createEngine((inner) => ({
    start (host) {
      events.push('start')
      return inner.start(host)
    },
    pause () { events.push('pause') },
    async close () {
      events.push('close')
      await inner.close()
    },
    ...change
  }))
  const work = defineTask({
    name: 'work',
    payload: {},
    async handler () {
      for (let turn = 0; turn < 10; turn++) await nextTurn()
      events.push('task')
    }
  })
  const app = await createApp(t, { engine, tasks: [work], ...endless, ...options })
  app.addHook('onClose', async () => { events.push('onClose') })
  return { app, events, work }
}

t.test('the engine starts once, is paused before tasks are waited for, and closes once, after all hooks', async (t) => {
  const { app, events, work } = await createNoted(t)
  await app.ready()
  app.backgroundTasks.add(work, {})
  await nextTurn()
  await app.close()
  t.same(events.filter((event, index) => event !== 'pause' || index === 1), ['start', 'pause', 'task', 'onClose', 'close'])
})

t.test('an engine that cannot start makes ready reject', async (t) => {
  const { app } = await createNoted(t, { async start () { throw new Error('no start') } })
  await t.rejects(Promise.resolve(app.ready()), { message: 'no start' })
})

for (const [title, pause] of [
  ['throws', () => { throw new Error('no pause') }],
  ['rejects', async () => { throw new Error('no pause') }],
  ['does not answer', () => new Promise<void>(() => {})]
] as const) {
  t.test(`close waits for the tasks, and ends, also when pause of the engine ${title}`, async (t) => {
    const { app, events, work } = await createNoted(t, { pause }, { closeTimeout: 5000 })
    await app.ready()
    app.backgroundTasks.add(work, {})
    const fn: Task = app.backgroundTasks.add(async () => { for (let turn = 0; turn < 10; turn++) await nextTurn() })
    await nextTurn()
    await app.close()
    t.ok(events.includes('task'))
    t.equal(fn.state, 'completed')
    t.equal(events.at(-1), 'close')
  })
}

t.test('a pause that the engine does not answer holds the deadline of close up by nothing', async (t) => {
  const answer = createLatch()
  const engine = createEngine(() => ({ pause: () => answer.promise }))
  const app = await createApp(t, { engine, closeTimeout: 20, storeTimeout: 50_000 })
  await app.ready()
  const task = app.backgroundTasks.add({}, async ({ signal }: Task) => {
    await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
    signal.throwIfAborted()
  })
  await turnUntil(() => task.state === 'active')
  await app.close()
  t.match(task.error, { code: 'FST_BGT_CLOSING' })
  answer.resolve()
})

for (const retries of [0, 3]) {
  t.test(`a task that obeys the abort of close runs on elsewhere as the same attempt, with ${retries} retries`, async (t) => {
    const store = new SharedStore()
    const log = createLog()
    const attempts: Array<[worker: string, attempt: number]> = []
    const started = createLatch()
    const worker = (name: string): NamedTask => named(async (payload, { attempt, signal }) => {
      attempts.push([name, attempt])
      if (name === 'second') return
      started.resolve()
      await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
      throw signal.reason
    }, { retry: { retries, delay: 60_000 } })
    const onError = (): void => { t.fail('it has not failed') }
    const first = worker('first')
    const app = await createApp(t, { engine: store.createEngine(), tasks: [first], closeTimeout: 10, onError }, { logger: log.logger })
    await app.ready()
    const { id } = app.backgroundTasks.add(first, {})
    await started.promise
    await app.close()
    t.same(log.lines.filter(({ level }) => level === 'warn' || level === 'error'), [])
    t.match(log.taskLines(), [{ level: 'debug', msg: 'background task failed after it had been given up', attempt: 1 }])
    const next = await createApp(t, { engine: store.createEngine(), tasks: [worker('second')] })
    await next.ready()
    await turnUntil(() => attempts.length === 2)
    t.same(attempts, [['first', 1], ['second', 1]])
    await turnUntil(() => store.entries.get(id)?.snapshot.state === 'completed')
  })
}
