import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { createMost } from '../support/most.js'
import { nextTurn, turnUntil } from '../support/turns.js'

t.test('concurrency is how many tasks of the whole app run at once', async (t) => {
  const app = await createApp(t, { concurrency: 2, requestConcurrency: 5 })
  const { work: run, most } = createMost()
  let ran = 0
  const work = async (): Promise<void> => {
    t.ok(app.backgroundTasks.stats().active <= 2)
    await run()
    ran++
  }
  app.get('/', async (request) => {
    for (let index = 0; index < 5; index++) request.backgroundTasks.add(work)
    return 'ok'
  })
  await Promise.all([app.inject('/'), app.inject('/'), app.inject('/')])
  for (let index = 0; index < 5; index++) app.backgroundTasks.add(work)
  await app.backgroundTasks.idle()
  t.equal(most(), 2)
  t.equal(ran, 20)
})

t.test('without a concurrency there is no limit', async (t) => {
  const app = await createApp(t)
  let active = 0
  const all = createLatch()
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => {
      if (++active === 100) all.resolve()
      return all.promise
    })
    return 'ok'
  })
  await Promise.all(Array.from({ length: 100 }, () => app.inject('/')))
  await app.backgroundTasks.idle()
  t.equal(app.backgroundTasks.stats().completed, 100)
})

t.test('beyond the concurrency tasks wait in the order in which they have arrived', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const running = createLatch()
  const release = createLatch()
  const ran: string[] = []
  app.backgroundTasks.add(() => {
    running.resolve()
    return release.promise
  })
  await running.promise
  app.get('/:name', async (request) => {
    const { name } = request.params as { name: string }
    request.backgroundTasks.add(() => { ran.push(name) })
    return 'ok'
  })
  await app.inject('/a')
  await app.inject('/b')
  app.backgroundTasks.add(() => { ran.push('app') })
  await app.inject('/c')
  await nextTurn()
  t.same(ran, [])
  t.match(app.backgroundTasks.stats(), { active: 1, waiting: 4 })
  release.resolve()
  await app.backgroundTasks.idle()
  t.same(ran, ['a', 'b', 'app', 'c'])
})

/** An app whose only slot is taken until `release` is called. Each request, and each task of the app, notes its name. */
async function createBusyApp (t: Test): Promise<{ app: FastifyInstance, ran: string[], addToApp: (name: string) => Task, release: () => void }> {
  const app = await createApp(t, { concurrency: 1 })
  const { promise, resolve } = createLatch()
  const ran: string[] = []
  app.get('/:name', async (request) => {
    const { name } = request.params as { name: string }
    for (const part of name.split('+')) request.backgroundTasks.add(() => { ran.push(part) })
    return 'ok'
  })
  const first = app.backgroundTasks.add(() => promise)
  await turnUntil(() => first.state === 'active')
  return { app, ran, addToApp: (name) => app.backgroundTasks.add(() => { ran.push(name) }), release: resolve }
}

t.test('each task of the app counts as a request of its own: whoever came first starts first', async (t) => {
  const { app, ran, addToApp, release } = await createBusyApp(t)
  const expected: string[] = []
  for (let index = 0; index < 10; index++) {
    addToApp(`a${index}`)
    await app.inject(`/r${index}`)
    expected.push(`a${index}`, `r${index}`)
  }
  release()
  await app.backgroundTasks.idle()
  t.same(ran, expected)
})

t.test('the second task of a request has its turn behind all that came meanwhile', async (t) => {
  const { app, ran, addToApp, release } = await createBusyApp(t)
  addToApp('a0')
  await app.inject('/r0+r1')
  addToApp('a1')
  await app.inject('/s0+s1')
  addToApp('a2')
  release()
  await app.backgroundTasks.idle()
  t.same(ran, ['a0', 'r0', 'a1', 's0', 'a2', 'r1', 's1'])
})

t.test('a task of the app that is cancelled leaves its place to nobody', async (t) => {
  const { app, ran, addToApp, release } = await createBusyApp(t)
  const first = addToApp('a0')
  await app.inject('/r0')
  addToApp('a1')
  await app.inject('/r1')
  t.equal(first.cancel(), true)
  release()
  await app.backgroundTasks.idle()
  t.same(ran, ['r0', 'a1', 'r1'])
})

t.test('a task of the app that comes back from its backoff stands behind those that wait', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const tick = useFakeTimers(t)
  const release = createLatch()
  const ran: string[] = []
  const flaky = app.backgroundTasks.add({ retry: { retries: 1, delay: 100, jitter: false } }, (task) => {
    ran.push(`flaky ${task.attempt}`)
    if (task.attempt === 1) throw new Error('flaky')
  })
  await turnUntil(() => flaky.state === 'delayed')
  const blocker = app.backgroundTasks.add(() => release.promise)
  await turnUntil(() => blocker.state === 'active')
  app.backgroundTasks.add(() => { ran.push('before') })
  await nextTurn()
  await nextTurn()
  tick(100)
  app.backgroundTasks.add(() => { ran.push('behind') })
  release.resolve()
  await app.backgroundTasks.idle()
  t.same(ran, ['flaky 1', 'before', 'flaky 2', 'behind'])
})

t.test('a backoff gives its slot back', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const tick = useFakeTimers(t)
  const ran: string[] = []
  app.get('/flaky', async (request) => {
    request.backgroundTasks.add({ retry: { retries: 1, delay: 100, jitter: false } }, (task) => {
      ran.push(`flaky ${task.attempt}`)
      if (task.attempt === 1) throw new Error('flaky')
    })
    request.backgroundTasks.add(() => { ran.push('behind flaky') })
    return 'ok'
  })
  app.get('/other', async (request) => {
    request.backgroundTasks.add(() => { ran.push('other') })
    return 'ok'
  })
  await app.inject('/flaky')
  await app.inject('/other')
  await turnUntil(() => ran.length === 2)
  await nextTurn()
  t.same(ran, ['flaky 1', 'other'])
  t.match(app.backgroundTasks.stats(), { delayed: 1, waiting: 1, active: 0 })
  tick(100)
  await app.backgroundTasks.idle()
  t.same(ran, ['flaky 1', 'other', 'flaky 2', 'behind flaky'])
})

t.test('a retry that is due waits for a slot like any other task', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const tick = useFakeTimers(t)
  const running = createLatch()
  const release = createLatch()
  const flaky = app.backgroundTasks.add({ retry: { retries: 1, delay: 100, jitter: false } }, (task) => {
    if (task.attempt === 1) throw new Error('flaky')
  })
  app.backgroundTasks.add(() => {
    running.resolve()
    return release.promise
  })
  await running.promise
  tick(100)
  await nextTurn()
  await nextTurn()
  t.equal(flaky.state, 'delayed')
  t.equal(app.backgroundTasks.stats().active, 1)
  release.resolve()
  await app.backgroundTasks.idle()
  t.equal(flaky.state, 'completed')
})

t.test('a retry that is due and waits for a slot can still be cancelled', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const tick = useFakeTimers(t)
  const running = createLatch()
  const release = createLatch()
  const flaky = [1, 2].map(() => app.backgroundTasks.add({ retry: { retries: 1, delay: 100, jitter: false } }, (task) => {
    if (task.attempt === 1) throw new Error('flaky')
    t.fail('a cancelled task has run')
  }))
  app.backgroundTasks.add(() => {
    running.resolve()
    return release.promise
  })
  await running.promise
  tick(100)
  for (const task of flaky) t.equal(task.cancel(), true)
  release.resolve()
  await app.backgroundTasks.idle()
  t.match(app.backgroundTasks.stats(), { cancelled: 2, completed: 1, active: 0, delayed: 0 })
})

for (const ending of ['timeout', 'cancel', 'failure', 'skip'] as const) {
  t.test(`the slot of a task that ends by ${ending} is free again`, async (t) => {
    const app = await createApp(t, { concurrency: 1 })
    const tick = useFakeTimers(t)
    const never = createLatch()
    let first!: Task
    app.get('/', async (request) => {
      first = request.backgroundTasks.add(
        { ...(ending === 'timeout' && { timeout: 10 }), ...(ending === 'skip' && { when: 'error' }) },
        () => {
          if (ending === 'failure') throw new Error('failure')
          return never.promise
        })
      return 'ok'
    })
    await app.inject('/')
    const second = app.backgroundTasks.add(() => {})
    if (ending === 'timeout' || ending === 'cancel') await turnUntil(() => first.state === 'active')
    if (ending === 'timeout') tick(10)
    if (ending === 'cancel') first.cancel()
    await app.backgroundTasks.idle()
    t.equal(second.state, 'completed')

    const { work, most } = createMost()
    app.backgroundTasks.add(work)
    app.backgroundTasks.add(work)
    // What the task does after its end gives no second slot back.
    never.resolve()
    await app.backgroundTasks.idle()
    t.equal(most(), 1)
  })
}

t.test('maxPending unfinished tasks make a handler that does not catch reply 503', async (t) => {
  const app = await createApp(t, { maxPending: 2 })
  const release = createLatch()
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => release.promise)
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  t.equal((await app.inject('/')).statusCode, 200)
  const refused = await app.inject('/')
  t.equal(refused.statusCode, 503)
  t.same(refused.json(), {
    statusCode: 503,
    code: 'FST_BGT_FULL',
    error: 'Service Unavailable',
    message: 'no task is accepted while 2 are unfinished'
  })
  t.throws(() => app.backgroundTasks.add(() => {}), { code: 'FST_BGT_FULL', statusCode: 503 })
  t.throws(() => app.backgroundTasks.add({}, () => {}), { code: 'FST_BGT_FULL' })
  await turnUntil(() => app.backgroundTasks.stats().active === 2)
  t.equal(app.backgroundTasks.stats().waiting, 0)
  release.resolve()
  await app.backgroundTasks.idle()
  t.equal((await app.inject('/')).statusCode, 200)
  await app.backgroundTasks.idle()
  t.equal(app.backgroundTasks.stats().completed, 3)
})

t.test('a refused task leaves those already added alone', async (t) => {
  const app = await createApp(t, { maxPending: 2 })
  const ran: number[] = []
  app.get('/', async (request) => {
    for (const index of [1, 2, 3]) request.backgroundTasks.add(() => { ran.push(index) })
  })
  t.equal((await app.inject('/')).statusCode, 503)
  await app.backgroundTasks.idle()
  t.same(ran, [1, 2])
})

t.test('maxPending counts waiting, active and delayed tasks, and none that has ended', async (t) => {
  const app = await createApp(t, { maxPending: 3, concurrency: 1 })
  const tick = useFakeTimers(t)
  const release = createLatch()
  const { backgroundTasks } = app
  backgroundTasks.add({ retry: { retries: 1, delay: 10, jitter: false } }, (task) => {
    if (task.attempt === 1) throw new Error('flaky')
  })
  backgroundTasks.add(() => release.promise)
  const waiting = backgroundTasks.add(() => {})
  await turnUntil(() => backgroundTasks.stats().delayed === 1 && backgroundTasks.stats().active === 1)
  t.match(backgroundTasks.stats(), { delayed: 1, active: 1, waiting: 1 })
  t.throws(() => backgroundTasks.add(() => {}), { code: 'FST_BGT_FULL' })
  waiting.cancel()
  backgroundTasks.add(() => {})
  t.throws(() => backgroundTasks.add(() => {}), { code: 'FST_BGT_FULL' })
  release.resolve()
  tick(10)
  await backgroundTasks.idle()
  t.match(backgroundTasks.stats(), { completed: 3, cancelled: 1 })
})
