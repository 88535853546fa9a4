import t from 'tap'
import type { FastifyInstance } from 'fastify'
import type { Task, TaskAdder } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { createMost } from '../support/most.js'
import { nextTurn, turnUntil } from '../support/turns.js'

/** Sends a request whose handler runs `work`, and waits for its response. */
async function withRequest (app: FastifyInstance, work: (tasks: TaskAdder) => void, route: object = {}): Promise<void> {
  app.get('/', { config: { backgroundTasks: route } }, async (request) => {
    work(request.backgroundTasks)
    return 'ok'
  })
  await app.inject('/')
}

t.test('the tasks of a request run one at a time, in the order added', async (t) => {
  const app = await createApp(t)
  const events: string[] = []
  await withRequest(app, (tasks) => {
    for (const name of ['a', 'b', 'c', 'd']) {
      tasks.add(async () => {
        events.push(`${name} starts`)
        if (name === 'a' || name === 'c') await nextTurn()
        events.push(`${name} ends`)
      })
    }
    tasks.add(() => { events.push('sync') })
  })
  await app.backgroundTasks.idle()
  t.same(events, [
    'a starts', 'a ends', 'b starts', 'b ends', 'c starts', 'c ends', 'd starts', 'd ends', 'sync'
  ])
})

t.test('a task waits for the final outcome of the one before, retries included', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const events: string[] = []
  let flaky!: Task
  await withRequest(app, (tasks) => {
    flaky = tasks.add({ retry: { retries: 2, delay: 1000, jitter: false } }, (task) => {
      events.push(`flaky ${task.attempt}`)
      if (task.attempt < 3) throw new Error('flaky')
    })
    tasks.add({ retry: { retries: 1, delay: 50, jitter: false } }, (task) => {
      events.push(`hopeless ${task.attempt}`)
      throw new Error('hopeless')
    })
    tasks.add(() => { events.push('last') })
  })
  for (const [index, delay] of [1000, 2000, 50].entries()) {
    await turnUntil(() => app.backgroundTasks.stats().retries === index + 1)
    tick(delay)
  }
  await app.backgroundTasks.idle()
  t.equal(flaky.state, 'completed')
  t.same(events, ['flaky 1', 'flaky 2', 'flaky 3', 'hopeless 1', 'hopeless 2', 'last'])
})

t.test('requests do not wait for the tasks of each other', async (t) => {
  const app = await createApp(t)
  const release = createLatch()
  const second = createLatch()
  app.get('/slow', async (request) => {
    request.backgroundTasks.add(() => release.promise)
    return 'ok'
  })
  app.get('/fast', async (request) => {
    request.backgroundTasks.add(() => { second.resolve() })
    return 'ok'
  })
  await app.inject('/slow')
  await app.inject('/fast')
  await second.promise
  t.match(app.backgroundTasks.stats(), { active: 1, completed: 1 })
  release.resolve()
  await app.backgroundTasks.idle()
})

for (const [where, plugin, route, expected] of [
  ['by default', {}, {}, 1],
  ['by the plugin', { requestConcurrency: 2 }, {}, 2],
  ['by the route', {}, { requestConcurrency: 3 }, 3],
  ['by the route rather than the plugin', { requestConcurrency: 3 }, { requestConcurrency: 2 }, 2],
  ['by the route, which may go back to strict order', { requestConcurrency: 3 }, { requestConcurrency: 1 }, 1]
] as const) {
  t.test(`requestConcurrency, set ${where}, is how many tasks of one request run at once: ${expected}`, async (t) => {
    const app = await createApp(t, plugin)
    const { work, most } = createMost()
    const started: number[] = []
    await withRequest(app, (tasks) => {
      for (let index = 0; index < 7; index++) {
        tasks.add(async () => {
          started.push(index)
          await work()
        })
      }
    }, route)
    await app.backgroundTasks.idle()
    t.equal(most(), expected)
    t.same(started, [0, 1, 2, 3, 4, 5, 6])
  })
}

t.test('with requestConcurrency 2 the next task starts as soon as one of the two ends', async (t) => {
  const app = await createApp(t, { requestConcurrency: 2 })
  const release = createLatch()
  const third = createLatch()
  await withRequest(app, (tasks) => {
    tasks.add(() => release.promise)
    tasks.add(() => {})
    tasks.add(() => { third.resolve() })
  })
  await third.promise
  release.resolve()
  await app.backgroundTasks.idle()
})

t.test('a task in a backoff keeps its place among the tasks of its request', async (t) => {
  const app = await createApp(t, { requestConcurrency: 2 })
  const tick = useFakeTimers(t)
  const release = createLatch()
  const ran: string[] = []
  await withRequest(app, (tasks) => {
    tasks.add({ retry: { retries: 1, delay: 10, jitter: false } }, (task) => {
      ran.push(`flaky ${task.attempt}`)
      if (task.attempt === 1) throw new Error('flaky')
    })
    tasks.add(() => {
      ran.push('slow')
      return release.promise
    })
    tasks.add(() => { ran.push('third') })
  })
  await turnUntil(() => ran.length === 2)
  await nextTurn()
  await nextTurn()
  t.same(ran, ['flaky 1', 'slow'])
  tick(10)
  await turnUntil(() => ran.length === 4)
  t.same(ran, ['flaky 1', 'slow', 'flaky 2', 'third'])
  release.resolve()
  await app.backgroundTasks.idle()
})

t.test('requestConcurrency does not limit the tasks of the app', async (t) => {
  const app = await createApp(t, { requestConcurrency: 1 })
  const met = createLatch()
  app.backgroundTasks.add(() => met.promise)
  app.backgroundTasks.add(() => { met.resolve() })
  await app.backgroundTasks.idle()
  t.equal(app.backgroundTasks.stats().completed, 2)
})

t.test('a task added by a task goes to the end of the same list', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  app.get('/', async (request) => {
    const { backgroundTasks } = request
    backgroundTasks.add(() => {
      ran.push('a')
      backgroundTasks.add(async () => {
        ran.push('a.a')
        backgroundTasks.add(() => { ran.push('a.a.a') })
        await nextTurn()
        backgroundTasks.add(() => { ran.push('a.a.b') })
      })
      request.backgroundTasks.add(() => { ran.push('a.b') })
    })
    backgroundTasks.add(() => { ran.push('b') })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(ran, ['a', 'b', 'a.a', 'a.b', 'a.a.a', 'a.a.b'])
})

t.test('a task added after its list had run dry runs too', async (t) => {
  const app = await createApp(t)
  const ran: number[] = []
  let add!: (index: number) => void
  app.get('/', async (request) => {
    add = (index) => { request.backgroundTasks.add(() => { ran.push(index) }) }
    return 'ok'
  })
  await app.inject('/')
  for (const index of [1, 2, 3]) {
    add(index)
    await app.backgroundTasks.idle()
  }
  t.same(ran, [1, 2, 3])
})

t.test('tasks of the app start in the order added, each without waiting for the one before', async (t) => {
  const app = await createApp(t)
  const events: string[] = []
  const isSecondStarted = createLatch()
  app.backgroundTasks.add(async () => {
    events.push('a starts')
    await isSecondStarted.promise
    events.push('a ends')
  })
  app.backgroundTasks.add(() => {
    events.push('b starts')
    isSecondStarted.resolve()
  })
  await app.backgroundTasks.idle()
  t.same(events, ['a starts', 'b starts', 'a ends'])
})
