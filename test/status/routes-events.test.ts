import type { PassThrough } from 'node:stream'
import { mock } from 'node:test'
import { Type } from '@sinclair/typebox'
import type { FastifyInstance, onSendAsyncHookHandler } from 'fastify'
import t, { type Test } from 'tap'
import { type BackgroundTasksOptions, type Task, type TaskSnapshot, defineTask } from '../../index.js'
import { taskRoutes } from '../../lib/routes.js'
import { createApp } from '../support/app.js'
import { type Change, createEngine } from '../support/engine.js'
import { type Event, EventClient } from '../support/event-client.js'
import { createLatch } from '../support/latch.js'
import { RawClient } from '../support/raw-client.js'
import { SharedStore } from '../support/shared-store.js'
import { portOf } from '../support/transports.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const unknown = '7f7a8a10-18d0-4cff-8e82-2bf128d80538'

interface Scene {
  app: FastifyInstance
  /** How many watch a task: the listeners that a stream has put on the engine. */
  watching: () => number
  /** How many heartbeats there are. */
  intervals: () => number
}

/** An app with the routes, which counts what its event streams hold. */
async function createScene (t: Test, options: BackgroundTasksOptions = {}, change: Change = () => ({})): Promise<Scene> {
  let watching = 0
  const engine = createEngine((inner) => {
    const changed = { ...change(inner) }
    return {
      ...changed,
      watch (id, onChange) {
        watching++
        const end = changed.watch?.(id, onChange) ?? inner.watch(id, onChange)
        return () => {
          watching--
          end()
        }
      }
    }
  })
  const { setInterval: start, clearInterval: end } = globalThis
  const intervals = new Set<unknown>()
  t.intercept(globalThis, 'setInterval', {
    value: (...args: Parameters<typeof setInterval>) => {
      const interval = start(...args)
      intervals.add(interval)
      return interval
    }
  })
  t.intercept(globalThis, 'clearInterval', {
    value: (interval: NodeJS.Timeout) => {
      intervals.delete(interval)
      end(interval)
    }
  })
  // Those that are left when the test is over have been counted by then, and must not disturb the next.
  t.teardown(() => { for (const interval of intervals) end(interval as NodeJS.Timeout) })
  const app = await createApp(t, { engine, ...options }, { forceCloseConnections: true })
  await app.register(taskRoutes, { prefix: '/tasks', cancel: true })
  return { app, watching: () => watching, intervals: () => intervals.size }
}

const nothingHeld = ({ watching, intervals }: Scene) => (): boolean => watching() === 0 && intervals() === 0
const outline = (events: Event[]): unknown[] => events.map(({ event, data }) => [event, data.state, data.progress])

/** A task that reports a value whenever it is told to. */
function createReporter (app: FastifyInstance): { task: Task, report: (value: unknown) => void, finish: () => void } {
  const done = createLatch()
  const task = app.backgroundTasks.waitUntil(done.promise, { name: 'reporter' })
  return { task, report: (value) => { task.progress(value) }, finish: done.resolve }
}

t.test('a stream gives the state, each progress and the final state, whose data are snapshots, and ends', async (t) => {
  const [started, ...steps] = [createLatch(), createLatch(), createLatch(), createLatch()] as const
  const resize = defineTask({
    name: 'resize',
    payload: {},
    result: Type.Object({ bytes: Type.Integer() }),
    async handler (payload, task) {
      started.resolve()
      await steps[0].promise
      task.progress(0.5)
      await steps[1].promise
      task.progress({ text: 'two\nlines\n\nevent: state\ndata: {}' })
      await steps[2].promise
      return { bytes: 7, secret: 'hidden' }
    }
  })
  const scene = await createScene(t, { tasks: [resize] })
  const { app } = scene
  await app.ready()
  const task = app.backgroundTasks.add(resize, {})
  await started.promise
  const client = await EventClient.open(app, `/tasks/${task.id}/events`)
  t.equal(client.response.statusCode, 200)
  t.match(client.response.headers, { 'content-type': /^text\/event-stream/, 'cache-control': 'no-cache' })
  t.same(await client.next(), { event: 'state', data: JSON.parse(JSON.stringify(task)) })
  steps[0].resolve()
  t.match(await client.next(), { event: 'progress', data: { state: 'active', progress: 0.5 } })
  steps[1].resolve()
  t.match(await client.next(), { event: 'progress', data: { progress: { text: 'two\nlines\n\nevent: state\ndata: {}' } } })
  steps[2].resolve()
  const last = await client.next()
  t.strictSame(last, { event: 'state', data: JSON.parse(JSON.stringify(task)) })
  t.strictSame(last?.data.result, { bytes: 7 })
  t.equal(await client.next(), undefined)
  await turnUntil(nothingHeld(scene))
})

t.test('a stream follows a task from before it starts through its retries', async (t) => {
  const attempts = [createLatch(), createLatch()]
  const work = defineTask({
    name: 'work',
    payload: {},
    retry: { retries: 1, delay: 30, jitter: false },
    async handler (payload, { attempt }) {
      await attempts[attempt - 1]?.promise
      throw Object.assign(new Error('no luck'), { secret: true })
    }
  })
  const { app } = await createScene(t, { tasks: [work] })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, {}, { delay: 50 })
  const client = await EventClient.open(app, `/tasks/${id}/events`)
  t.match(await client.next(), { event: 'state', data: { state: /waiting|delayed/, attempt: 1 } })
  let event = await client.next()
  if (event?.data.state === 'delayed') event = await client.next()
  t.match(event, { event: 'state', data: { state: 'active', attempt: 1 } })
  attempts[0]?.resolve()
  t.match(await client.next(), { event: 'state', data: { state: 'delayed', attempt: 1 } })
  t.match(await client.next(), { event: 'state', data: { state: 'active', attempt: 2 } })
  attempts[1]?.resolve()
  const last = await client.next()
  t.match(last, { event: 'state', data: { state: 'failed', attempt: 2 } })
  t.strictSame(last?.data.error, { name: 'Error', message: 'no luck' })
  t.equal(await client.next(), undefined)
})

t.test('the stream of a task that has ended gives its final state, and ends', async (t) => {
  const scene = await createScene(t)
  const { app } = scene
  const { task, report, finish } = createReporter(app)
  const { id } = task
  report(1)
  finish()
  await app.backgroundTasks.idle()
  const client = await EventClient.open(app, `/tasks/${id}/events`)
  t.same(outline(await client.rest()), [['state', 'completed', 1]])
  await turnUntil(nothingHeld(scene))
})

t.test('a stream ends with the state of a task that is cancelled', async (t) => {
  const scene = await createScene(t)
  const { app } = scene
  const { task } = createReporter(app)
  const client = await EventClient.open(app, `/tasks/${task.id}/events`)
  await client.next()
  t.equal((await app.inject({ method: 'DELETE', url: `/tasks/${task.id}` })).statusCode, 200)
  t.same(outline(await client.rest()), [['state', 'cancelled', undefined]])
  await turnUntil(nothingHeld(scene))
})

t.test('a stream ends with the state of a task that is skipped', async (t) => {
  const { app } = await createScene(t)
  const [added, release] = [createLatch<Task>(), createLatch()]
  app.get('/', async (request) => {
    added.resolve(request.backgroundTasks.add({ when: 'error' }, () => {}))
    await release.promise
    return 'ok'
  })
  await app.ready()
  const response = app.inject('/')
  const { id } = await added.promise
  const client = await EventClient.open(app, `/tasks/${id}/events`)
  t.match(await client.next(), { data: { state: 'waiting' } })
  release.resolve()
  await response
  t.same(outline(await client.rest()), [['state', 'skipped', undefined]])
})

t.test('many clients follow one task, each to its end', async (t) => {
  const scene = await createScene(t)
  const { app } = scene
  const { task, report, finish } = createReporter(app)
  const clients = await Promise.all(Array.from({ length: 20 }, () => EventClient.open(app, `/tasks/${task.id}/events`)))
  for (const client of clients) t.match(await client.next(), { event: 'state', data: { state: 'active' } })
  report(0.5)
  for (const client of clients) t.match(await client.next(), { event: 'progress', data: { progress: 0.5 } })
  finish()
  for (const client of clients) t.same(outline(await client.rest()), [['state', 'completed', 0.5]])
  await turnUntil(nothingHeld(scene))
})

t.test('a stream of an id that nobody has is a 404 in JSON, and holds nothing', async (t) => {
  const scene = await createScene(t)
  const response = await scene.app.inject(`/tasks/${unknown}/events`)
  t.equal(response.statusCode, 404)
  t.match(response.headers['content-type'], 'application/json')
  t.strictSame(response.json(), { statusCode: 404, error: 'Not Found', message: 'there is no such task' })
  t.ok(nothingHeld(scene)())
})

t.test('a stream is refused while the engine cannot be asked, and holds nothing', async (t) => {
  const scene = await createScene(t, {}, () => ({ get: async () => { throw new Error('away') } }))
  const response = await scene.app.inject(`/tasks/${unknown}/events`)
  t.equal(response.statusCode, 503)
  t.match(response.json(), { code: 'FST_BGT_ENGINE', message: /^background tasks could not be asked for$/ })
  t.ok(nothingHeld(scene)())
})

t.test('a change while the task is first looked up is not missed', async (t) => {
  const snapshot: TaskSnapshot = { id: unknown, name: 'work', state: 'waiting', attempt: 1, createdAt: new Date().toISOString() }
  let change = (): void => {}
  const scene = await createScene(t, {}, () => ({
    async get () {
      const found = { ...snapshot }
      if (snapshot.state !== 'completed') {
        snapshot.state = 'completed'
        change()
      }
      return found
    },
    watch (id, onChange) {
      change = onChange
      return () => {}
    }
  }))
  const client = await EventClient.open(scene.app, `/tasks/${unknown}/events`)
  t.match((await client.rest()).at(-1), { event: 'state', data: { state: 'completed' } })
  await turnUntil(nothingHeld(scene))
})

t.test('a stream ends when its task has ended elsewhere and nothing is kept of it', async (t) => {
  let snapshot: TaskSnapshot | undefined = { id: unknown, name: 'work', state: 'active', attempt: 1, createdAt: new Date().toISOString() }
  let change = (): void => {}
  const scene = await createScene(t, {}, () => ({
    get: async () => snapshot,
    watch (id, onChange) {
      change = onChange
      return () => {}
    }
  }))
  const client = await EventClient.open(scene.app, `/tasks/${unknown}/events`)
  t.match(await client.next(), { event: 'state', data: { state: 'active' } })
  snapshot = undefined
  change()
  t.equal(await client.next(), undefined)
  await turnUntil(nothingHeld(scene))
})

/** A task that runs elsewhere, as an engine shows it: `look` is called whenever the engine is asked. */
function createFar (look: () => void = () => {}): { change: (more: Partial<TaskSnapshot>) => void, engine: Change } {
  const snapshot: TaskSnapshot = { id: unknown, name: 'work', state: 'active', attempt: 1, createdAt: new Date().toISOString() }
  const watchers = new Set<() => void>()
  return {
    change (more) {
      Object.assign(snapshot, more)
      for (const onChange of watchers) onChange()
    },
    engine: () => ({
      async get () {
        look()
        return { ...snapshot }
      },
      watch (id, onChange) {
        watchers.add(onChange)
        return () => { watchers.delete(onChange) }
      }
    })
  }
}

t.test('one look at the engine serves all streams of a task', async (t) => {
  let looks = 0
  const { change, engine } = createFar(() => { looks++ })
  const scene = await createScene(t, {}, engine)
  const clients = await Promise.all(Array.from({ length: 20 }, () => EventClient.open(scene.app, `/tasks/${unknown}/events`)))
  for (const client of clients) t.match(await client.next(), { data: { state: 'active' } })
  // One to see whether there is such a task, and one for what has happened until it was watched.
  t.equal(looks, 2)
  change({ progress: 0.5 })
  for (const client of clients) t.match(await client.next(), { event: 'progress', data: { progress: 0.5 } })
  t.equal(looks, 3)
  change({ state: 'completed' })
  for (const client of clients) t.same(outline(await client.rest()), [['state', 'completed', 0.5]])
  t.equal(looks, 4)
  await turnUntil(nothingHeld(scene))
})

t.test('an engine need not watch an id that nobody has, nor a task that has ended', async (t) => {
  let asked = 0
  const { change, engine } = createFar()
  change({ state: 'completed' })
  const scene = await createScene(t, {}, (inner) => ({
    ...engine(inner),
    watch () {
      asked++
      return () => {}
    }
  }))
  const client = await EventClient.open(scene.app, `/tasks/${unknown}/events`)
  t.same(outline(await client.rest()), [['state', 'completed', undefined]])
  t.equal(asked, 0)
})

t.test('a stream outlives an outage of the engine, however long, and goes on when it is over', async (t) => {
  let isAway = false
  let failed = 0
  const { change, engine } = createFar(() => {
    if (!isAway) return
    failed++
    throw new Error('away')
  })
  const scene = await createScene(t, {}, engine)
  const client = await EventClient.open(scene.app, `/tasks/${unknown}/events`)
  t.match(await client.next(), { data: { state: 'active' } })
  isAway = true
  change({ progress: 0.5 })
  change({ progress: 0.6 })
  const start = performance.now()
  await turnUntil(() => failed === 4)
  t.ok(performance.now() - start >= 100 + 200 + 400 - 3, 'it is asked less and less often')
  const late = EventClient.open(scene.app, `/tasks/${unknown}/events`)
  t.match(await (await late).next(), { data: { state: 'active' } }, 'a new stream begins with what was seen last')
  isAway = false
  t.match(await client.next(), { event: 'progress', data: { progress: 0.6 } })
  change({ state: 'completed' })
  t.same(outline(await client.rest()), [['state', 'completed', 0.6]])
  await turnUntil(nothingHeld(scene))
})

t.test('a client that hangs up in an outage of the engine leaves nothing behind', async (t) => {
  for (const isLooking of [false, true]) {
    let isAway = false
    let failed = 0
    const held = createLatch()
    const { change, engine } = createFar(() => {
      if (!isAway) return
      failed++
      throw new Error('away')
    })
    const scene = await createScene(t, {}, (inner) => {
      const far = engine(inner)
      return {
        ...far,
        async get (id) {
          if (isAway && isLooking) await held.promise
          return await far.get!(id)
        }
      }
    })
    const client = await EventClient.open(scene.app, `/tasks/${unknown}/events`)
    await client.next()
    isAway = true
    change({ progress: 0.5 })
    if (!isLooking) await turnUntil(() => failed === 1)
    client.hangUp()
    await turnUntil(nothingHeld(scene))
    held.resolve()
    await turnUntil(() => failed === 1)
    await nextTurn()
    t.equal(failed, 1)
  }
})

t.test('a stream of a task that runs in another process follows it', async (t) => {
  const release = createLatch()
  const store = new SharedStore()
  const work = defineTask({
    name: 'work',
    payload: {},
    async handler (payload, task) {
      task.progress(0.5)
      await release.promise
    }
  })
  const web = await createApp(t, { engine: store.createEngine(), tasks: [work], worker: false }, { forceCloseConnections: true })
  await web.register(taskRoutes, { prefix: '/tasks' })
  web.post('/', async (request) => request.backgroundTasks.add(work, {}).id)
  const { body: id } = await web.inject({ method: 'POST', url: '/' })
  const client = await EventClient.open(web, `/tasks/${id}/events`)
  t.match(await client.next(), { event: 'state', data: { state: 'waiting' } })
  const worker = await createApp(t, { engine: store.createEngine(), tasks: [work] })
  await worker.ready()
  const seen: Event[] = []
  while (seen.at(-1)?.data.progress === undefined) seen.push((await client.next())!)
  t.match(seen.at(-1), { data: { state: 'active', progress: 0.5 } })
  release.resolve()
  t.match((await client.rest()).at(-1), { event: 'state', data: { state: 'completed', progress: 0.5 } })
})

// Heartbeat

t.test('a stream on which nothing happens says every 15 seconds that it is alive', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => { mock.timers.reset() })
  const app = await createApp(t, {}, { forceCloseConnections: true })
  await app.register(taskRoutes, { prefix: '/tasks' })
  const { task, finish } = createReporter(app)
  const client = await EventClient.open(app, `/tasks/${task.id}/events`)
  await client.next()
  mock.timers.tick(14_999)
  await nextTurn()
  t.same(client.comments, [])
  mock.timers.tick(1)
  mock.timers.tick(15_000)
  finish()
  t.match(await client.rest(), [{ event: 'state', data: { state: 'completed' } }])
  t.equal(client.comments.length, 2)
})

// The client goes, or is slow.

t.test('a client that hangs up leaves nothing behind', async (t) => {
  const scene = await createScene(t)
  const { app } = scene
  const { task, report, finish } = createReporter(app)
  const clients = await Promise.all(Array.from({ length: 5 }, () => EventClient.open(app, `/tasks/${task.id}/events`)))
  for (const client of clients) await client.next()
  t.equal(scene.watching(), 1)
  t.equal(scene.intervals(), 5)
  for (const client of clients) client.hangUp()
  await turnUntil(nothingHeld(scene))
  report(0.5)
  finish()
  await app.backgroundTasks.idle()
})

t.test('a client that hangs up while its task is looked up leaves nothing behind', async (t) => {
  const [asked, release] = [createLatch(), createLatch()]
  let watching = 0
  const snapshot = { id: unknown, name: 'far', state: 'active', attempt: 1, createdAt: new Date().toISOString() } as const
  const engine = createEngine(() => ({
    async get () {
      asked.resolve()
      await release.promise
      return snapshot
    },
    watch () {
      watching++
      return () => { watching-- }
    }
  }))
  const app = await createApp(t, { engine }, { forceCloseConnections: true })
  await app.register(taskRoutes, { prefix: '/tasks' })
  const closed = createLatch()
  const sent = createLatch()
  app.addHook('onRequest', async (request, reply) => { reply.raw.once('close', () => { closed.resolve() }) })
  app.addHook('onSend', async () => { sent.resolve() })
  const client = await RawClient.connect(app)
  client.send('GET', `/tasks/${unknown}/events`)
  await asked.promise
  client.socket.destroy()
  await closed.promise
  release.resolve()
  await sent.promise
  for (let turn = 0; turn < 20; turn++) await nextTurn()
  t.equal(watching, 0)
})

const mebibyte = 2 ** 20

t.test('a client that reads slowly misses intermediate progress, and gets the last and the final state', async (t) => {
  const scene = await createScene(t)
  const { app } = scene
  const { task, report, finish } = createReporter(app)
  const client = await EventClient.open(app, `/tasks/${task.id}/events`)
  await client.next()
  client.response.pause()
  for (let step = 1; step <= 200; step++) {
    report({ step, filling: 'x'.repeat(mebibyte / 4) })
    await nextTurn()
  }
  finish()
  await app.backgroundTasks.idle()
  const events = await client.rest()
  t.ok(events.length < 100, `${events.length} events`)
  const steps = events.map(({ data }) => (data.progress as { step: number }).step)
  t.same(steps, steps.toString().split(',').map(Number).sort((a, b) => a - b), 'in order')
  t.equal(steps.at(-1), 200)
  t.match(events.at(-1), { event: 'state', data: { state: 'completed' } })
  await turnUntil(nothingHeld(scene))
})

t.test('a heartbeat does not break off the stream of a slow client whose task has ended', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => { mock.timers.reset() })
  const app = await createApp(t, {}, { forceCloseConnections: true })
  await app.register(taskRoutes, { prefix: '/tasks' })
  const { task, report, finish } = createReporter(app)
  report('x'.repeat(16 * mebibyte))
  const client = await EventClient.open(app, `/tasks/${task.id}/events`)
  client.response.pause()
  finish()
  await app.backgroundTasks.idle()
  for (let turn = 0; turn < 20; turn++) await nextTurn()
  mock.timers.tick(60_000)
  for (let turn = 0; turn < 20; turn++) await nextTurn()
  t.match((await client.rest()).at(-1), { event: 'state', data: { state: 'completed' } })
})

t.test('a stream ends with its task, though history keeps nothing of it', async (t) => {
  const scene = await createScene(t, { history: 0 })
  const { app } = scene
  await app.ready()
  const { promise, resolve } = createLatch()
  const { id } = app.backgroundTasks.add({}, async (task: Task) => {
    await promise
    // A look at this is still under way when the task ends.
    task.progress(1)
  })
  const client = await EventClient.open(app, `/tasks/${id}/events`)
  t.match(await client.next(), { event: 'state', data: { state: 'active' } })
  resolve()
  t.match((await client.rest()).at(-1), { event: 'state', data: { id, state: 'completed', progress: 1 } })
  await turnUntil(nothingHeld(scene))
})

for (const history of [0, 1]) {
  t.test(`the last event is the final state of a registered task, with history ${history}`, async (t) => {
    const release = createLatch()
    const work = defineTask({
      name: 'work',
      payload: {},
      async handler (payload, task) {
        await release.promise
        // A look at this is still under way when the task ends.
        task.progress(payload)
      }
    })
    const scene = await createScene(t, { history, tasks: [work] })
    const { app } = scene
    await app.ready()
    const tasks = [1, 2, 3].map((payload) => app.backgroundTasks.add(work, payload))
    await turnUntil(() => tasks.every(({ state }) => state === 'active'))
    const clients = await Promise.all(tasks.map(({ id }) => EventClient.open(app, `/tasks/${id}/events`)))
    for (const client of clients) t.match(await client.next(), { event: 'state', data: { state: 'active' } })
    release.resolve()
    for (const [index, client] of clients.entries()) {
      t.match((await client.rest()).at(-1), { event: 'state', data: { id: tasks[index]?.id, state: 'completed', progress: index + 1 } })
    }
    await turnUntil(nothingHeld(scene))
  })

  t.test(`the last event is the final state also for a slow client, with history ${history}`, async (t) => {
    const scene = await createScene(t, { history })
    const { app } = scene
    const { task, report, finish } = createReporter(app)
    const client = await EventClient.open(app, `/tasks/${task.id}/events`)
    await client.next()
    client.response.pause()
    for (let step = 1; step <= 100; step++) {
      report({ step, filling: 'x'.repeat(mebibyte / 4) })
      await nextTurn()
    }
    finish()
    await app.backgroundTasks.idle()
    const others = [1, 2].map(() => app.backgroundTasks.add(() => {}))
    t.equal(others.map(({ id }) => id).length, 2)
    await app.backgroundTasks.idle()
    t.match((await client.rest()).at(-1), { event: 'state', data: { id: task.id, state: 'completed', progress: { step: 100 } } })
    await turnUntil(nothingHeld(scene))
  })
}

t.test('for a client that never reads only so much is kept', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => { mock.timers.reset() })
  const app = await createApp(t, {}, { forceCloseConnections: true })
  await app.register(taskRoutes, { prefix: '/tasks' })
  let stream!: PassThrough
  app.addHook('onRoute', (route) => {
    if (!route.url.endsWith('/events')) return
    route.onSend = async (request, reply, payload) => { stream = payload as PassThrough }
  })
  await app.register(taskRoutes, { prefix: '/watched' })
  const { task, report } = createReporter(app)
  const client = await RawClient.connect(app)
  client.send('GET', `/watched/${task.id}/events`)
  await client.receive('active')
  client.socket.pause()
  const kept = (): number => stream.writableLength + stream.readableLength
  // Until the socket takes no more.
  for (let step = 0; kept() < mebibyte / 4; step++) {
    report({ step, filling: 'x'.repeat(mebibyte / 4) })
    await nextTurn()
  }
  const before = kept()
  for (let step = 0; step < 20_000; step++) mock.timers.tick(15_000)
  report('one more')
  await nextTurn()
  t.ok(kept() < before + 1000, `${kept() - before} bytes more`)
  client.socket.destroy()
})

for (const [title, onSend] of [
  ['throws', async () => { throw new Error('no streams') }],
  ['replaces it', async () => 'instead']
] as Array<[string, onSendAsyncHookHandler]>) {
  t.test(`a stream that an onSend hook refuses, one that ${title}, leaves nothing behind`, async (t) => {
    const scene = await createScene(t)
    const { app } = scene
    app.addHook('onRoute', (route) => { if (route.url.endsWith('/events')) route.onSend = onSend })
    await app.register(taskRoutes, { prefix: '/refused' })
    const { task, finish } = createReporter(app)
    const response = await fetch(`http://127.0.0.1:${await portOf(app)}/refused/${task.id}/events`)
    t.equal(response.status, title === 'throws' ? 500 : 200)
    await response.text()
    await turnUntil(nothingHeld(scene))
    finish()
  })
}

// close

/** Less than what a connection that is kept alive would hold up. */
const timeout = 10_000

/** Opens a stream, which `open` gives a way to end, and closes the app, whose connections nobody forces to close. */
async function closeWith (t: Test, open: (app: FastifyInstance, url: string) => Promise<() => Promise<void>>, progress: unknown = 0.5): Promise<void> {
  const app = await createApp(t, { closeTimeout: 100 })
  await app.register(taskRoutes, { prefix: '/tasks' })
  const { task, report } = createReporter(app)
  report(progress)
  const end = await open(app, `/tasks/${task.id}/events`)
  await app.close()
  await end()
}

for (const keepAlive of [false, true]) {
  t.test(`close ends a stream and is not held up by it, the client ${keepAlive ? 'keeping' : 'closing'} its connection`, { timeout }, async (t) => {
    await closeWith(t, async (app, url) => {
      const client = await EventClient.open(app, url, { keepAlive })
      const rest = client.next().then(async (first) => [first, ...await client.rest()])
      return async () => { t.match(await rest, [{ event: 'state', data: { state: 'active', progress: 0.5 } }]) }
    })
  })
}

t.test('close is not held up by a stream that is read by fetch', { timeout }, async (t) => {
  await closeWith(t, async (app, url) => {
    const response = await fetch(`http://127.0.0.1:${await portOf(app)}${url}`)
    const text = response.text()
    return async () => { t.match(await text, /^event: state\ndata: .*\n\n$/) }
  })
})

t.test('a stream that is opened while the app closes gives one event and ends', async (t) => {
  const scene = await createScene(t, { closeTimeout: 100 })
  const { app } = scene
  const { task } = createReporter(app)
  const [arrived, release] = [createLatch(), createLatch()]
  app.addHook('onRequest', async () => {
    arrived.resolve()
    await release.promise
  })
  await app.register(taskRoutes, { prefix: '/late' })
  // The hooks of children run in their order, behind those of the app.
  await app.register(async (child) => { child.addHook('preClose', async () => { release.resolve() }) })
  await app.ready()
  const response = app.inject(`/late/${task.id}/events`)
  await arrived.promise
  await Promise.all([response, app.close()])
  t.match((await response).body, /^event: state\ndata: \{[^\n]*"state":"active"[^\n]*\n\n$/)
  await turnUntil(nothingHeld(scene))
})

for (const [title, isEnded] of [['follows its task', false], ['has ended', true]] as const) {
  t.test(`close is not held up by a client that does not read a stream that ${title}`, { timeout }, async (t) => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const app = await createApp(t, { closeTimeout: 0 })
    await app.register(taskRoutes, { prefix: '/tasks' })
    await portOf(app)
    const before = timers()
    const { task, report, finish } = createReporter(app)
    report('x'.repeat(16 * mebibyte))
    const client = await RawClient.connect(app)
    client.send('GET', `/tasks/${task.id}/events`)
    await client.receive('event: state')
    client.socket.pause()
    if (isEnded) report('last')
    finish()
    await app.backgroundTasks.idle()
    const started = performance.now()
    await app.close()
    t.ok(performance.now() - started < 2000, `${performance.now() - started} ms`)
    client.socket.destroy()
    await client.closed()
    await turnUntil(() => timers() === before)
  })
}

t.test('close lets a client that reads have the whole of a long event', async (t) => {
  const app = await createApp(t, { closeTimeout: 0 })
  await app.register(taskRoutes, { prefix: '/tasks' })
  const { task, report, finish } = createReporter(app)
  report('x'.repeat(mebibyte))
  const client = await EventClient.open(app, `/tasks/${task.id}/events`)
  const rest = client.rest()
  await Promise.all([app.close(), finish()])
  t.equal((await rest)[0]?.data.progress, 'x'.repeat(mebibyte))
})
