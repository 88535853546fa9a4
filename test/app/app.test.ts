import t from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const unknownId = '00000000-0000-4000-8000-000000000000'

t.test('a task of the app starts in the next turn of the event loop', async (t) => {
  const app = await createApp(t)
  const order: string[] = []
  setImmediate(() => { order.push('immediate before') })
  app.backgroundTasks.add(() => { order.push('task') })
  setImmediate(() => { order.push('immediate behind') })
  process.nextTick(() => { order.push('tick') })
  await nextTurn()
  t.same(order, ['tick', 'immediate before', 'task', 'immediate behind'])
})

t.test('tasks can be added before the app is ready, and from a child context', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  app.backgroundTasks.add(() => { ran.push('before ready') })
  await app.register(async (child) => {
    t.equal(child.backgroundTasks, app.backgroundTasks)
    child.backgroundTasks.add(() => { ran.push('child') })
    child.addHook('onReady', async () => { child.backgroundTasks.add(() => { ran.push('onReady') }) })
  })
  await app.ready()
  await app.backgroundTasks.idle()
  t.same(ran, ['before ready', 'child', 'onReady'])
})

t.test('idle resolves at once when nothing is unfinished', async (t) => {
  const app = await createApp(t)
  t.equal(await app.backgroundTasks.idle(), undefined)
  t.equal(await app.backgroundTasks.idle({}), undefined)
  t.equal(await app.backgroundTasks.idle({ timeout: 1 }), undefined)
})

t.test('idle resolves when nothing is unfinished, though the event loop is held past its timeout', async (t) => {
  const app = await createApp(t)
  // From an immediate on, timers that are due come before the next immediates.
  await nextTurn()
  const idle = app.backgroundTasks.idle({ timeout: 1 })
  const end = performance.now() + 10
  while (performance.now() < end);
  t.equal(await idle, undefined)
})

t.test('idle waits for tasks of requests and of the app, running, waiting, delayed and nested', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  app.get('/', async (request) => {
    request.backgroundTasks.add(async () => {
      await nextTurn()
      ran.push('request')
      request.backgroundTasks.add(async () => {
        await nextTurn()
        ran.push('nested')
        app.backgroundTasks.add(() => { ran.push('nested app') })
      })
    })
    return 'ok'
  })
  await app.inject('/')
  app.backgroundTasks.add({ retry: { retries: 1, delay: 1, jitter: false } }, (task) => {
    if (task.attempt === 1) throw new Error('flaky')
    ran.push('retried')
  })
  app.backgroundTasks.waitUntil((async () => {
    await nextTurn()
    ran.push('waited for')
  })())
  await app.backgroundTasks.idle()
  t.same(ran.sort(), ['nested', 'nested app', 'request', 'retried', 'waited for'])
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0, delayed: 0, completed: 5 })
})

t.test('idle can be awaited by many, and again and again', async (t) => {
  const app = await createApp(t)
  const release = createLatch()
  app.backgroundTasks.add(() => release.promise)
  const idles = [app.backgroundTasks.idle(), app.backgroundTasks.idle(), app.backgroundTasks.idle({ timeout: 10_000 })]
  release.resolve()
  await Promise.all(idles)
  app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.equal(app.backgroundTasks.stats().completed, 2)
})

t.test('past its timeout idle rejects and names what is left', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const tick = useFakeTimers(t)
  const release = createLatch()
  const running = app.backgroundTasks.add({ name: 'running' }, () => release.promise)
  app.backgroundTasks.add({ name: 'queued' }, () => {})
  app.backgroundTasks.waitUntil(release.promise, { name: 'upload' })
  const idle = app.backgroundTasks.idle({ timeout: 500 })
  const patient = app.backgroundTasks.idle()
  await turnUntil(() => running.state === 'active')
  tick(499)
  tick(1)
  await t.rejects(idle, {
    name: 'FastifyError',
    code: 'FST_BGT_IDLE_TIMEOUT',
    statusCode: 500,
    message: 'still unfinished after 500 ms: running (active), queued (waiting), upload (active)'
  })
  release.resolve()
  await patient
})

t.test('idle names ten tasks at most', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const release = createLatch()
  for (let index = 1; index <= 12; index++) app.backgroundTasks.waitUntil(release.promise, { name: `task ${index}` })
  const idle = app.backgroundTasks.idle({ timeout: 1 })
  tick(1)
  await t.rejects(idle, { message: /task 9 \(active\), task 10 \(active\), 2 more$/ })
  release.resolve()
  await app.backgroundTasks.idle()
})

t.test('an idle that resolves leaves no timer behind', async (t) => {
  const app = await createApp(t)
  await app.ready()
  const timeouts = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
  const before = timeouts()
  app.backgroundTasks.add(() => {})
  const idle = app.backgroundTasks.idle({ timeout: 60_000 })
  t.equal(timeouts(), before + 1)
  await idle
  t.equal(timeouts(), before)
})

t.test('idle rejects wrong options', async (t) => {
  const app = await createApp(t)
  for (const [options, message] of [
    [{ timeout: 0 }, 'option "timeout" must be an integer from 1 to 2147483647, received 0'],
    [{ timeout: '5' }, 'option "timeout" must be an integer from 1 to 2147483647, received "5"'],
    [{ timeOut: 5 }, 'unknown option "timeOut", received 5'],
    [null, 'options must be an object, received null']
  ] as const) {
    await t.rejects(app.backgroundTasks.idle(options as object), { code: 'FST_BGT_INVALID_OPTIONS', message })
  }
})

t.test('stats counts what is now and what has been since the start', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const release = createLatch()
  t.strictSame(app.backgroundTasks.stats(), {
    waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0, cancelled: 0, skipped: 0, retries: 0, oldestWaitingMs: 0
  })
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => {})
    request.backgroundTasks.add({ retry: { retries: 2, delay: 0 } }, () => { throw new Error('fails') })
    request.backgroundTasks.add({ when: 'error' }, () => {})
    request.backgroundTasks.add(() => {}).cancel()
    request.backgroundTasks.add(() => release.promise)
    request.backgroundTasks.add(() => {})
    t.match(app.backgroundTasks.stats(), { waiting: 5, cancelled: 1 })
    return 'ok'
  })
  await app.inject('/')
  await turnUntil(() => app.backgroundTasks.stats().active === 1 && app.backgroundTasks.stats().skipped === 1)
  const stats = app.backgroundTasks.stats()
  t.strictSame({ ...stats, oldestWaitingMs: 0 }, {
    waiting: 1, active: 1, delayed: 0, completed: 1, failed: 1, cancelled: 1, skipped: 1, retries: 2, oldestWaitingMs: 0
  })
  release.resolve()
  await app.backgroundTasks.idle()
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0, completed: 3, failed: 1, oldestWaitingMs: 0 })
})

t.test('stats gives a copy', async (t) => {
  const app = await createApp(t)
  app.backgroundTasks.stats().completed = 42
  t.equal(app.backgroundTasks.stats().completed, 0)
})

t.test('oldestWaitingMs is the time since the oldest waiting task was added', async (t) => {
  let now = 5000
  t.intercept(performance, 'now', { value: () => now })
  const app = await createApp(t)
  const tasks: Task[] = []
  let list: unknown
  app.get('/', async (request) => {
    list = request.backgroundTasks
    tasks.push(request.backgroundTasks.add(() => {}))
    now += 100
    tasks.push(request.backgroundTasks.add(() => {}))
    now += 50
    const both = app.backgroundTasks.stats().oldestWaitingMs
    tasks[0]?.cancel()
    return [both, app.backgroundTasks.stats().oldestWaitingMs]
  })
  t.same((await app.inject('/')).json(), [150, 50])
  await app.backgroundTasks.idle()
  t.ok(list)
  t.equal(app.backgroundTasks.stats().oldestWaitingMs, 0)
})

t.test('get finds unfinished and finished tasks whose id was read, as snapshots', async (t) => {
  const app = await createApp(t)
  const release = createLatch()
  let task!: Task
  app.get('/', async (request) => {
    task = request.backgroundTasks.add({ name: 'resize' }, () => release.promise)
    return { id: task.id }
  })
  const { id } = (await app.inject('/')).json()
  const waiting = await app.backgroundTasks.get(id)
  t.match(waiting, { id, name: 'resize', attempt: 1 })
  await turnUntil(() => task.state === 'active')
  t.match(await app.backgroundTasks.get(id), { id, state: 'active' })
  release.resolve()
  await app.backgroundTasks.idle()
  t.same(await app.backgroundTasks.get(id), task.toJSON())
  t.match(await app.backgroundTasks.get(id), { id, state: 'completed' })
})

t.test('get finds failed, cancelled and skipped tasks too', async (t) => {
  const app = await createApp(t)
  const tasks: Task[] = []
  app.get('/', async ({ backgroundTasks }) => {
    tasks.push(
      backgroundTasks.add(() => { throw new Error('fails') }),
      backgroundTasks.add(() => {}),
      backgroundTasks.add({ when: 'error' }, () => {}))
    for (const { id } of tasks) t.type(id, 'string')
    tasks[1]?.cancel()
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  const snapshots = await Promise.all(tasks.map(({ id }) => app.backgroundTasks.get(id)))
  t.match(snapshots, [
    { state: 'failed', error: { name: 'Error', message: 'fails' } },
    { state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } },
    { state: 'skipped' }
  ])
})

t.test('get finds a task whose id is read after its end', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add({ name: 'late' }, () => {})
  await app.backgroundTasks.idle()
  t.match(await app.backgroundTasks.get(task.id), { id: task.id, name: 'late', state: 'completed' })
})

t.test('what get gives can be changed without effect on what is kept', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add({}, (task) => { task.progress({ done: 1 }) })
  const { id } = task
  await app.backgroundTasks.idle()
  const snapshot = await app.backgroundTasks.get(id)
  const copy = structuredClone(snapshot)
  Object.assign(snapshot ?? {}, { state: 'changed' })
  Object.assign(snapshot?.progress ?? {}, { done: 2 })
  t.same(await app.backgroundTasks.get(id), copy)
})

t.test('history is how many finished tasks get still finds, the oldest going first', async (t) => {
  const app = await createApp(t, { history: 2 })
  const tasks: Task[] = []
  for (let index = 0; index < 4; index++) {
    const task = app.backgroundTasks.add(() => {})
    if (index !== 2) t.type(task.id, 'string')
    tasks.push(task)
    await app.backgroundTasks.idle()
  }
  const found = async (): Promise<boolean[]> =>
    Promise.all([0, 1, 3].map(async (index) => await app.backgroundTasks.get(tasks[index]?.id ?? '') !== undefined))
  // The third does not count: nobody could ask for it.
  t.same(await found(), [false, true, true])
  t.type(tasks[2]?.id, 'string')
  t.same(await found(), [false, false, true])
})

t.test('with history 0 get finds unfinished tasks only', async (t) => {
  const app = await createApp(t, { history: 0 })
  const release = createLatch()
  const task = app.backgroundTasks.add(() => release.promise)
  t.match(await app.backgroundTasks.get(task.id), { state: 'waiting' })
  release.resolve()
  await app.backgroundTasks.idle()
  t.equal(await app.backgroundTasks.get(task.id), undefined)
  const late = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.equal(await app.backgroundTasks.get(late.id), undefined)
})

t.test('unfinished tasks do not count for history', async (t) => {
  const app = await createApp(t, { history: 1 })
  const release = createLatch()
  const ids = [1, 2, 3].map(() => app.backgroundTasks.add(() => release.promise).id)
  for (const id of ids) t.match(await app.backgroundTasks.get(id), { id })
  release.resolve()
  await app.backgroundTasks.idle()
})

t.test('by default history is 1000', async (t) => {
  const app = await createApp(t)
  const ids = Array.from({ length: 1001 }, () => app.backgroundTasks.add(() => {}).id)
  await app.backgroundTasks.idle()
  t.equal(await app.backgroundTasks.get(ids[0] ?? ''), undefined)
  t.match(await app.backgroundTasks.get(ids[1] ?? ''), { id: ids[1] })
})

t.test('cancel by id resolves to whether it had an effect', async (t) => {
  const app = await createApp(t)
  const release = createLatch()
  const waiting = app.backgroundTasks.add(() => { t.fail('a cancelled task has run') })
  t.equal(await app.backgroundTasks.cancel(waiting.id, 'not needed'), true)
  t.match(waiting.error, { code: 'FST_BGT_CANCELLED', cause: 'not needed' })
  t.equal(await app.backgroundTasks.cancel(waiting.id), false)

  const active = app.backgroundTasks.add({}, (task) => {
    t.type(task.signal, AbortSignal)
    return release.promise
  })
  const { id } = active
  await turnUntil(() => active.state === 'active')
  t.equal(await app.backgroundTasks.cancel(id), true)
  t.equal(active.state, 'cancelled')
  t.equal(active.signal.aborted, true)
  await app.backgroundTasks.idle()
  t.equal(await app.backgroundTasks.cancel(id), false)
  release.resolve()
})

t.test('get and cancel know nothing of other ids', async (t) => {
  const app = await createApp(t)
  for (const id of [unknownId, '', 'constructor', undefined, null, 42, {}]) {
    t.equal(await app.backgroundTasks.get(id as string), undefined)
    t.equal(await app.backgroundTasks.cancel(id as string), false)
  }
})

t.test('two apps know nothing of each other', async (t) => {
  const [a, b] = [await createApp(t), await createApp(t, { maxPending: 1 })]
  const release = createLatch()
  const task = a.backgroundTasks.add(() => release.promise)
  t.equal(await b.backgroundTasks.get(task.id), undefined)
  t.equal(await b.backgroundTasks.cancel(task.id), false)
  await b.backgroundTasks.idle()
  b.backgroundTasks.add(() => {})
  t.equal(b.backgroundTasks.stats().waiting, 1)
  release.resolve()
  await a.backgroundTasks.idle()
  await b.backgroundTasks.idle()
})

t.test('after the app has closed nothing can be added', async (t) => {
  const app = await createApp(t)
  let late!: () => unknown
  app.get('/', async (request) => {
    late = () => request.backgroundTasks.add({ name: 'late' }, () => {})
    return 'ok'
  })
  await app.inject('/')
  await app.close()
  const expected = { code: 'FST_BGT_CLOSED', statusCode: 503, message: 'task "late" was added after the app had closed' }
  t.throws(late, expected)
  t.throws(() => app.backgroundTasks.add({ name: 'late' }, () => {}), expected)
  t.throws(() => app.backgroundTasks.add(() => {}), { message: 'task "anonymous" was added after the app had closed' })
  await app.backgroundTasks.idle()
})
