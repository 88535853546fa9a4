import { AsyncLocalStorage } from 'node:async_hooks'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t from 'tap'
import type { Feed, Viewer } from '../../lib/dashboard/feed.js'
import { createShowPayload } from '../../lib/dashboard/show-payload.js'
import { Sampler } from '../../lib/dashboard/sampler.js'
import { snapshotLane } from '../../lib/dashboard/snapshot-lane.js'
import { createViewer } from '../../lib/dashboard/viewer.js'
import { createScene } from '../support/dashboard.js'
import { createDistantEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { named } from '../support/stored-app.js'
import { turnUntil } from '../support/turns.js'
import { until } from '../support/until.js'

const never = (task: { signal: AbortSignal }): Promise<unknown> => new Promise((resolve) => { task.signal.onabort = resolve })

t.test('sixty samples are kept', async (t) => {
  const { setInterval: start } = globalThis
  t.intercept(globalThis, 'setInterval', { value: (fn: () => void, ms: number) => start(fn, ms === 1000 ? 1 : ms) })
  let completed = 0
  const sampler = new Sampler(() => completed++, () => {})
  await until(() => completed > 70)
  sampler.end()
  t.same([sampler.rates.completed.length, sampler.rates.delayMs.length], [60, 60])
})

t.test('a hundred attempts of a task are kept, the latest', async (t) => {
  const { app, look } = await createScene(t)
  let attempts = 0
  app.get('/', async (req) => {
    req.backgroundTasks.add({ name: 'flaky', retry: { retries: 104, delay: 0 } }, () => {
      if (++attempts < 105) throw new Error('no luck')
    })
    return {}
  })
  const client = await look()
  await client.whole()
  await app.inject('/')
  const { 'request:1': request } = await client.until((entries) => entries['request:1']?.lanes[0]?.state === 'completed')
  const { attempts: bars } = request!.lanes[0]!
  t.same([bars.length, bars[0]!.attempt, bars[99]!.attempt], [100, 6, 105])
})

t.test('a retry that runs when the recording begins has a bar from then on', async (t) => {
  const { app, look } = await createScene(t)
  const { id } = app.backgroundTasks.add({ name: 'flaky', retry: { retries: 1, delay: 0 } }, (task) => {
    if (task.attempt === 1) throw new Error('no luck')
    return never(task)
  })
  await turnUntil(() => app.backgroundTasks.stats().retries === 1 && app.backgroundTasks.stats().active === 1)
  const { task } = await (await look(`task/${id}`)).whole()
  t.match(task!.lane!.attempts, [{ attempt: 2 }])
  t.equal(task!.lane!.attempts.length, 1)
})

t.test('a recording that begins among many tasks keeps the latest', async (t) => {
  const { app, look } = await createScene(t)
  for (let n = 0; n < 1010; n++) app.backgroundTasks.add({ name: 'many' }, (task) => never(task))
  const client = await look()
  t.match(await client.until((entries) => entries['name:many']?.counts.active === 1010), { counts: { active: 1010 } })
  await app.close()
})

t.test('a request that newer ones have replaced takes no further tasks', async (t) => {
  const { app, look } = await createScene(t)
  const latch = createLatch()
  app.get('/old', async (req) => {
    req.backgroundTasks.add({ name: 'old' }, async () => {
      await latch.promise
      req.backgroundTasks.add({ name: 'late' }, () => {})
    })
    return {}
  })
  app.get('/new', async (req) => {
    req.backgroundTasks.add({ name: 'new' }, () => {})
    return {}
  })
  const client = await look()
  await client.whole()
  await app.inject('/old')
  for (let n = 0; n < 201; n++) await app.inject('/new')
  latch.resolve()
  const entries = await client.until((entries) => entries['name:late']?.counts.completed === 1)
  t.notOk('request:1' in entries)
})

t.test('a list whose response is over before the recording, and one without a task, have no request', async (t) => {
  const { app, look } = await createScene(t)
  app.get('/', async (req) => ({ size: req.backgroundTasks.size }))
  const client = await look()
  await client.whole()
  await app.inject('/')
  app.backgroundTasks.add({ name: 'own' }, () => {})
  const entries = await client.until((entries) => entries['name:own']?.counts.completed === 1)
  t.notOk(Object.keys(entries).some((key) => key.startsWith('request:')))
})

t.test('a request whose first task comes from a hook of an earlier plugin arrives then', async (t) => {
  const { default: Fastify } = await import('fastify')
  const { default: backgroundTasks } = await import('../../index.js')
  const { dashboard } = await import('../../lib/dashboard.js')
  const { LiveClient } = await import('../support/live-client.js')
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.addHook('onRequest', async (req) => { if (req.url === '/') req.backgroundTasks.add({ name: 'early' }, () => {}) })
  await app.register(backgroundTasks)
  await app.register(dashboard, { prefix: '/tasks', onRequest: [] })
  app.get('/', async () => ({}))
  const client = await LiveClient.open(t, app, '/tasks/live?view=overview')
  await client.whole()
  await app.inject('/')
  const { 'request:1': request } = await client.until((entries) => entries['request:1']?.lanes[0]?.state === 'completed')
  t.equal(request!.route, '/')
})

t.test('a task with a file is one of its own kind, registered or in a store', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'work.mjs')
  writeFileSync(file, 'export default () => 1')
  const { defineTask } = await import('../../index.js')
  const film = defineTask({ name: 'film', payload: {}, file })
  const { app, look } = await createScene(t, { tasks: { tasks: [film] } })
  await app.ready()
  const { id } = app.backgroundTasks.add(film, {}, { delay: 60_000 })
  await app.backgroundTasks.flush()
  t.match((await (await look(`task/${id}`)).whole()).task, { lane: { kind: 'file' } })

  const engine = createDistantEngine((inner) => ({
    start: (host) => inner.start({ ...host, worker: false }),
    list: async ({ state }) => ({
      tasks: state === 'completed' ? [{ id: 'a', name: 'film', state, attempt: 1, createdAt: new Date().toISOString() }] : [], scanned: 0
    })
  }))
  const other = await createScene(t, { tasks: { tasks: [film], engine, worker: false } })
  const stored = other.app.backgroundTasks.add(film, {}, { delay: 60_000 })
  await other.app.ready()
  await other.app.backgroundTasks.flush()
  t.match(await (await other.look()).whole(), { 'name:film': { kind: 'file', where: 'elsewhere' } })
  t.match((await (await other.look(`task/${stored.id}`)).whole()).task, { lane: { kind: 'file', isElsewhere: true } })
})

t.test('what the engine in memory remembers and this process does not is shown as the engine knows it', async (t) => {
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { tasks: [work] } })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, {}, { key: 'k' })
  await app.backgroundTasks.idle()
  ;(app.backgroundTasks as any).services.history.drop(id)
  const client = await look(`task/${id}`)
  t.match(await client.until(({ task }) => task?.key), { task: { state: 'completed', where: 'process', key: 'k' } })
})

t.test('a task that is gone once it was retried is answered as it was', async (t) => {
  let gone = false
  const engine = createDistantEngine((inner) => ({
    get: async (id) => gone ? undefined : await inner.get(id),
    async retry () {
      gone = true
      return true
    }
  }))
  const work = named(() => { throw new Error('no luck') })
  const { app, act } = await createScene(t, { tasks: { engine, tasks: [work] }, dashboard: { actions: true } })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, {})
  await app.backgroundTasks.flush()
  await until(async () => (await engine.get(id))?.state === 'failed')
  const { status, body } = await act(id, 'retry')
  t.equal(status, 200)
  t.match(JSON.parse(body), { id, state: 'failed' })
})

t.test('tasks whose key is held by one that is not recorded have its id, until newer requests take their place', async (t) => {
  const engine = createDistantEngine(() => ({ add: async (tasks) => tasks.map(() => '7f7a8a10-18d0-4cff-8e82-2bf128d80538') }))
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work] } })
  app.post('/', async (req) => {
    req.backgroundTasks.add(work, {}, { key: 'k' })
    return {}
  })
  const client = await look()
  await client.whole()
  for (let n = 0; n < 203; n++) await app.inject({ method: 'POST', url: '/' })
  const { 'request:203': request, ...others } = await client.until((entries) => entries['request:203']?.lanes[0]?.id?.startsWith('7f7a8a10'))
  t.notOk('request:1' in others)
  t.equal(request!.lanes[0]!.isElsewhere, true)
})

t.test('a task that comes back to this process is asked for no longer', async (t) => {
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { engine: createDistantEngine(), tasks: [work] } })
  app.post('/', async (req) => {
    req.backgroundTasks.add(work, {}, { delay: 600 })
    return {}
  })
  const client = await look('request/1')
  await client.whole()
  await app.inject({ method: 'POST', url: '/' })
  t.match(await client.until(({ request }) => request?.lanes[0]?.state === 'delayed'), { request: { lanes: [{ isElsewhere: true }] } })
  const { request } = await client.until(({ request }) => request?.lanes[0]?.state === 'completed')
  t.notOk('isElsewhere' in request!.lanes[0]!)
})

t.test('the page of a list says that its store does not answer, and keeps its tasks', async (t) => {
  let isDown = false
  const engine = createDistantEngine((inner) => ({
    async list (query) {
      if (isDown) throw new Error('down')
      return await inner.list!(query)
    }
  }))
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work] } })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, {}, { delay: 60_000 })
  await app.backgroundTasks.flush()
  const client = await look('tasks/delayed')
  t.same((await client.whole()).list!.ids, [id])
  isDown = true
  app.backgroundTasks.add(() => {})
  t.same((await client.until(({ store }) => store)).list!.ids, [id])
})

t.test('a function payload that returns nothing shows nothing', async (t) => {
  const { app } = await createScene(t)
  const task = { id: 'a', name: 'work', state: 'waiting' as const, attempt: 1, createdAt: '' }
  t.equal(createShowPayload(() => undefined, app.log)({}, task), undefined)
})

t.test('bars that were seen here stay when the engine tells of a later attempt', async (t) => {
  const seen = [{ attempt: 1, from: 1, to: 50, outcome: 'failed' as const }]
  const since = (iso: string): number => Number(iso)
  const told = { id: 'a', name: 'work', attempt: 2, createdAt: '0', startedAt: '1' }
  t.same(snapshotLane({ ...told, state: 'active' }, since, seen).attempts, [...seen, { attempt: 2, from: 50 }])
  t.same(snapshotLane({ ...told, state: 'delayed' }, since, seen).attempts, seen)
  t.same(snapshotLane({ ...told, state: 'completed', finishedAt: '40' }, since, seen).attempts, [...seen, { attempt: 2, from: 50, to: 50, outcome: 'completed' }])
  t.same(snapshotLane({ ...told, attempt: 1, state: 'failed', finishedAt: '50' }, since, seen).attempts, seen)
})

t.test('the function payload is not called in the context of a task', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const seen: Array<string | undefined> = []
  const work = named(() => {})
  const { app, look } = await createScene(t, {
    tasks: { tasks: [work] },
    dashboard: {
      payload (payload, { state }) {
        seen.push(`${state} in ${storage.getStore()}`)
        return payload
      }
    }
  })
  await app.ready()
  const { id } = storage.run('that of the task', () => app.backgroundTasks.add(work, {}, { delay: 600 }))
  await app.backgroundTasks.flush()
  const client = await look(`task/${id}`)
  await client.until(({ task }) => task?.payload && task.state === 'completed')
  t.equal(seen.at(-1), 'completed in undefined')
})

t.test('a stream that has ended, or is gone, gets no update', async (t) => {
  for (const leave of ['end', 'destroy'] as const) {
    const stream = new PassThrough()
    const written: string[] = []
    t.intercept(stream, 'write', { value: (event: string) => written.push(event) })
    const viewers = new Set<Viewer>()
    createViewer(stream, { viewers, whole: () => 'whole' } as unknown as Feed)
    const [viewer] = viewers
    viewer!.update('change')
    stream[leave]()
    viewer!.update('late')
    t.same(written, ['whole', 'change'], leave)
  }
})
