import { mock } from 'node:test'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { BackgroundTasksOptions, NamedTaskOptions, Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { countArrayWork } from '../support/array-work.js'
import { useFakeTimers } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { block, countPerTurn } from '../support/per-turn.js'
import { named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const MANY = 2000

/** Each task may be looked at so often. Were all others looked at for each, it would be a thousand times. */
const LOOKS = 40

const work = named(() => {})

async function assertLinear (t: Test, run: () => unknown): Promise<void> {
  const looks = await countArrayWork(run)
  t.ok(looks < MANY * LOOKS, `${looks} looks at ${MANY} tasks`)
}

/** Has one request add `MANY` registered tasks. */
async function addMany (app: FastifyInstance, options: (index: number) => NamedTaskOptions = () => ({})): Promise<void> {
  app.get('/', async (request) => {
    for (let index = 0; index < MANY; index++) request.backgroundTasks.add(work, index, options(index))
    return 'ok'
  })
  await app.inject('/')
}

const createWorker = (t: Test, options: BackgroundTasksOptions = {}): Promise<FastifyInstance> =>
  createApp(t, { tasks: [work], ...options })

t.test('many registered tasks of one request are stored and run without a look at all others for each', async (t) => {
  const app = await createWorker(t)
  await assertLinear(t, async () => {
    await addMany(app)
    await app.backgroundTasks.idle()
  })
  t.equal(app.backgroundTasks.stats().completed, MANY)
})

t.test('the same with a key each', async (t) => {
  const app = await createWorker(t)
  await assertLinear(t, async () => {
    await addMany(app, (index) => ({ key: `k${index}` }))
    await app.backgroundTasks.idle()
  })
  t.equal(app.backgroundTasks.stats().completed, MANY)
})

t.test('the same with a priority each, the next always before those that wait', async (t) => {
  const app = await createWorker(t, { concurrency: 1 })
  await assertLinear(t, async () => {
    await addMany(app, (index) => ({ priority: MANY - index }))
    await app.backgroundTasks.idle()
  })
  t.equal(app.backgroundTasks.stats().completed, MANY)
})

t.test('the same where the response decides about each after it was hijacked', async (t) => {
  const app = await createWorker(t)
  app.get('/', (request, reply) => {
    for (let index = 0; index < MANY; index++) request.backgroundTasks.add(work, index, { when: index % 2 === 0 ? 'success' : 'error' })
    reply.hijack()
    reply.raw.end('ok')
  })
  await assertLinear(t, async () => {
    await app.inject('/')
    await app.backgroundTasks.idle()
  })
  t.match(app.backgroundTasks.stats(), { completed: MANY / 2, skipped: MANY / 2 })
})

t.test('many stored tasks are cancelled without a look at all others for each', async (t) => {
  const app = await createWorker(t, { worker: false })
  const tasks = Array.from({ length: MANY }, (_, index) => app.backgroundTasks.add(work, index))
  await app.ready()
  await assertLinear(t, async () => {
    for (const task of tasks.reverse()) task.cancel()
  })
  t.equal(app.backgroundTasks.stats().cancelled, MANY)
})

t.test('many tasks not stored yet are cleared without a look at all others for each', async (t) => {
  const app = await createWorker(t)
  app.get('/', async (request) => {
    for (let index = 0; index < MANY; index++) request.backgroundTasks.add(work, index)
    await assertLinear(t, async () => { t.equal(request.backgroundTasks.clear(), MANY) })
    return 'ok'
  })
  await app.inject('/')
  t.equal(app.backgroundTasks.stats().cancelled, MANY)
})

t.test('many tasks that come back from a backoff while all slots are taken do not look at each other', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const tick = useFakeTimers(t)
  const release = createLatch()
  for (let index = 0; index < MANY; index++) {
    app.backgroundTasks.add({ retry: { retries: 1, delay: 10, jitter: false } }, (task) => {
      if (task.attempt === 1) throw new Error('again')
    })
  }
  const last = app.backgroundTasks.add(() => release.promise)
  await turnUntil(() => last.state === 'active')
  await assertLinear(t, async () => {
    tick(10)
    release.resolve()
    await app.backgroundTasks.idle()
  })
  t.match(app.backgroundTasks.stats(), { completed: MANY + 1, retries: MANY })
})

t.test('many calls of idle that time out at once do not look at each other', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const release = createLatch()
  app.backgroundTasks.add(() => release.promise)
  const calls = Array.from({ length: MANY }, () => app.backgroundTasks.idle({ timeout: 10 }))
  await nextTurn()
  await assertLinear(t, async () => {
    tick(10)
    const outcomes = await Promise.allSettled(calls)
    t.ok(outcomes.every(({ status }) => status === 'rejected'))
  })
  release.resolve()
})

t.test('stats looks at no task behind the first one of a list that waits', async (t) => {
  const app = await createApp(t, { concurrency: 1 })
  const release = createLatch()
  const [running, , third] = [1, 2, 3].map(() => app.backgroundTasks.add(() => release.promise)) as [Task, Task, Task]
  await turnUntil(() => running.state === 'active')
  let looks = 0
  const { state } = third
  Object.defineProperty(third, 'state', { configurable: true, get () { looks++; return state } })
  t.match(app.backgroundTasks.stats(), { active: 1, waiting: 2 })
  t.equal(looks, 0)
  Object.defineProperty(third, 'state', { configurable: true, writable: true, enumerable: true, value: state })
  release.resolve()
  await app.backgroundTasks.idle()
})

t.test('clear makes no error before somebody asks for it, and none with a stack', async (t) => {
  const app = await createApp(t)
  const capture = mock.method(Error, 'captureStackTrace')
  t.teardown(() => { capture.mock.restore() })
  const tasks: Task[] = []
  app.get('/', async (request) => {
    for (let index = 0; index < 10; index++) tasks.push(request.backgroundTasks.add({ name: `task ${index}` }, () => {}))
    capture.mock.resetCalls()
    t.equal(request.backgroundTasks.clear(), 10)
    return 'ok'
  })
  await app.inject('/')
  for (const [index, { error, signal, state }] of tasks.entries()) {
    t.equal(state, 'cancelled')
    t.type(error, Error)
    t.match(error, { code: 'FST_BGT_CANCELLED', message: `task "task ${index}" was cancelled`, cause: 'cleared' })
    t.equal(tasks[index]!.error, error, 'it is the same each time')
    t.equal(signal.reason, error)
    t.equal((error as Error).stack, String(error))
  }
  t.equal(capture.mock.callCount(), 0)
})

t.test('a signal that was read before clear aborts with the error of the task', async (t) => {
  const app = await createApp(t)
  app.get('/', async (request) => {
    const task = request.backgroundTasks.add(() => {})
    const reasons: unknown[] = []
    task.signal.addEventListener('abort', () => { reasons.push(task.signal.reason) })
    t.equal(request.backgroundTasks.clear(), 1)
    t.match(reasons, [{ code: 'FST_BGT_CANCELLED', cause: 'cleared' }])
    t.equal(reasons[0], task.error)
    return 'ok'
  })
  await app.inject('/')
})

t.test('clear passes over tasks that have started, and tasks that leave meanwhile', async (t) => {
  const app = await createApp(t, {}, {})
  app.get('/', async (request) => {
    const { backgroundTasks } = request
    const release = createLatch()
    const running = backgroundTasks.waitUntil(release.promise)
    const [first, second, third] = [1, 2, 3].map(() => backgroundTasks.add(() => {})) as [Task, Task, Task]
    first.signal.addEventListener('abort', () => {
      running.cancel()
      second.cancel()
    })
    t.equal(backgroundTasks.clear(), 2)
    t.same([running, first, second, third].map(({ state }) => state), Array(4).fill('cancelled'))
    t.equal(backgroundTasks.size, 0)
    return 'ok'
  })
  await app.inject('/')
})

t.test('many timeouts that are due at once end within the slices of several turns', async (t) => {
  const count = countPerTurn()
  const app = await createApp(t, {
    onError () {
      count.ran()
      block(1)
    }
  })
  const tasks = Array.from({ length: 20 }, () => app.backgroundTasks.add({ timeout: 20 }, () => new Promise(() => {})))
  await app.backgroundTasks.idle()
  count.stop()
  t.equal(count.most(), 1)
  for (const { error } of tasks) t.match(error, { code: 'FST_BGT_TIMEOUT' })
})

t.test('a task that ends while its timeout waits for a turn has completed', async (t) => {
  const app = await createApp(t, { onError () { block(1) } })
  const tick = useFakeTimers(t)
  const release = createLatch()
  const slow = [1, 2].map(() => app.backgroundTasks.add({ timeout: 20 }, () => new Promise(() => {}))) as [Task, Task]
  const task = app.backgroundTasks.add({ timeout: 20 }, () => release.promise)
  await turnUntil(() => task.state === 'active')
  tick(20)
  t.same([...slow, task].map(({ state }) => state), ['failed', 'active', 'active'])
  release.resolve()
  await app.backgroundTasks.idle()
  t.equal(task.state, 'completed')
  t.equal(task.signal.aborted, false)
})

t.test('at close the last errors of many tasks become final within the slices of several turns', async (t) => {
  const count = countPerTurn()
  const errors: unknown[] = []
  const app = await createApp(t, {
    onError (error) {
      errors.push(error)
      count.ran()
      block(1)
    }
  })
  const tasks = Array.from({ length: 20 }, () => app.backgroundTasks.add({ retry: { retries: 1, delay: 60_000, jitter: false } }, () => {
    throw new Error('last')
  }))
  await turnUntil(() => app.backgroundTasks.stats().delayed === 20)
  await app.close()
  count.stop()
  t.equal(count.most(), 1)
  t.equal(errors.length, 20)
  for (const { state, error } of tasks) t.match({ state, error }, { state: 'failed', error: { message: 'last' } })
})
