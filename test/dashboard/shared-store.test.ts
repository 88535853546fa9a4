import t from 'tap'
import type { Engine, StoredSnapshot } from '../../index.js'
import { createScene } from '../support/dashboard.js'
import { createDistantEngine } from '../support/engine.js'
import { type Latch, createLatch } from '../support/latch.js'
import { named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const zero = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 }

/** An engine on a store whose tasks other processes run: this one only stores. */
function createRemote (change: (inner: Engine) => Partial<Engine> = () => ({})): Engine {
  return createDistantEngine((inner) => ({ start: (host) => inner.start({ ...host, worker: false }), ...change(inner) }))
}

/** The same, which stores nothing before it is told to. */
function createHeld (change: Partial<Engine> = {}): { engine: Engine, held: Latch } {
  const held = createLatch()
  const engine = createRemote((inner) => ({
    ...change,
    async add (tasks) {
      await held.promise
      return await inner.add(tasks)
    }
  }))
  return { engine, held }
}

t.test('a task that runs here for a shared store is counted once, in each state', async (t) => {
  const latch = createLatch()
  const engine = createDistantEngine()
  const work = named(async (payload: any) => {
    await latch.promise
    if (payload.fail) throw new Error('no luck')
  })
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work] } })
  await app.ready()
  const client = await look()
  await client.whole()
  for (const fail of [false, false, true]) app.backgroundTasks.add(work, { fail })
  app.backgroundTasks.add({ name: 'function' }, () => {})
  app.backgroundTasks.add(work, {}, { delay: 60_000 })
  const isCounted = (expected: object): Promise<unknown> => client.until(({ counts }) => Object.entries(expected).every(([state, n]) => counts?.[state as 'waiting'] === n))
  await isCounted({ waiting: 0, active: 3, delayed: 1, completed: 1, failed: 0 })
  latch.resolve()
  await isCounted({ waiting: 0, active: 0, delayed: 1, completed: 3, failed: 1, cancelled: 0 })
  const { 'name:work': stats } = client.entries
  t.match(stats, { where: 'here', kind: 'registered', counts: { completed: 2, failed: 1 } })
})

t.test('a task that is cancelled while it is stored is counted once', async (t) => {
  const { held, engine } = createHeld()
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work], worker: false } })
  await app.ready()
  const client = await look()
  await client.whole()
  const task = app.backgroundTasks.add(work, {}, { delay: 60_000 })
  await nextTurn()
  task.cancel()
  held.resolve()
  await client.until(({ counts }) => counts?.failed === 1)
  await client.until(({ counts }) => counts?.cancelled === 0)
  t.equal(client.entries.counts!.failed, 1, 'a store counts cancelled tasks as failed')
})

t.test('a request shows what its store says of tasks that run elsewhere', async (t) => {
  const done = createLatch()
  const engine = createDistantEngine((inner) => ({
    // As another process would run it.
    start: (host) => inner.start({
      ...host,
      async run () {
        await done.promise
        return { state: 'completed' }
      }
    })
  }))
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work] } })
  app.post('/', async (req) => {
    req.backgroundTasks.add(work, {})
    return {}
  })
  const [overview, request] = [await look(), await look('request/1')]
  t.notOk('request' in await request.whole())
  await overview.whole()
  await app.inject({ method: 'POST', url: '/' })
  const { request: running } = await request.until(({ request }) => request?.lanes[0]?.attempts.length === 1)
  t.match(running!.lanes[0], { isElsewhere: true, state: 'active', id: String, attempts: [{ attempt: 1 }] })
  t.notOk('to' in running!.lanes[0]!.attempts[0]!)
  done.resolve()
  const { request: ended } = await request.until(({ request }) => request?.lanes[0]?.state === 'completed')
  t.match(ended!.lanes[0], { isElsewhere: true, ended: Number, attempts: [{ attempt: 1, outcome: 'completed', to: Number }] })
  await overview.until((entries) => entries['request:1']?.lanes[0]?.state === 'completed')
})

const at = (ms: number): string => new Date(1_800_000_000_000 + ms).toISOString()
const snapshots: Array<Omit<StoredSnapshot, 'id'>> = [
  { name: 'mail', state: 'completed', attempt: 1, createdAt: at(0), startedAt: at(10), finishedAt: at(30) },
  { name: 'mail', state: 'completed', attempt: 1, createdAt: at(0), startedAt: at(10), finishedAt: at(50) },
  { name: 'mail', state: 'failed', attempt: 1, createdAt: at(0), startedAt: at(10), finishedAt: at(110), error: { name: 'Error', message: 'latest' } },
  { name: 'mail', state: 'failed', attempt: 1, createdAt: at(0), startedAt: at(10), finishedAt: at(60), error: { name: 'Error', message: 'before' } },
  { name: 'mail', state: 'active', attempt: 1, createdAt: at(0), startedAt: at(10) },
  { name: 'unknown', state: 'waiting', attempt: 1, createdAt: at(0) },
  { name: 'film', state: 'delayed', attempt: 1, createdAt: at(0) }
]

t.test('a process without a worker shows the names of the latest tasks in its store', async (t) => {
  let listed = 0
  const engine = createRemote(() => ({
    counts: async () => ({ ...zero, completed: 2, failed: 2, active: 1, waiting: 1, delayed: 1 }),
    async list ({ state, limit, scan }) {
      listed++
      t.ok(limit <= 100 && scan! <= 100)
      return { tasks: snapshots.filter((task) => task.state === state).map((task, n) => ({ ...task, id: `${state}-${n}` })), scanned: 0 }
    }
  }))
  const film = named(() => {}, { name: 'film' })
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [named(() => {}, { name: 'mail' }), film], worker: false } })
  await app.ready()
  const clients = [await look(), await look()]
  const { 'name:mail': mail, 'name:unknown': unknown, counts } = await clients[0]!.whole()
  t.match(counts, { completed: 2, failed: 2, active: 1, waiting: 1, delayed: 1 })
  t.same(mail, {
    name: 'mail',
    kind: 'registered',
    where: 'elsewhere',
    counts: { waiting: 0, active: 1, delayed: 0, completed: 2, failed: 2, cancelled: 0, skipped: 0 },
    typicalMs: 50,
    slowestMs: 100,
    lastFailure: { at: 1_800_000_000_110, message: 'latest' }
  })
  t.match(unknown, { where: 'elsewhere', counts: { waiting: 1 } })
  await clients[1]!.whole()
  t.equal(listed, 5, 'one look at each state for both')
  app.backgroundTasks.add({ name: 'mail' }, () => {})
  await clients[0]!.until((entries) => entries['name:mail']?.where === 'here')
  t.match(clients[0]!.entries['name:mail'], { kind: 'function' }, 'what runs here under the name is shown as it is')
})

t.test('what could not be stored yet is added to what the store has of the name', async (t) => {
  const { held, engine } = createHeld({
    async list ({ state }) {
      return { tasks: state === 'completed' ? [{ ...snapshots[0]!, id: 'a', name: 'work' }] : [], scanned: 0 }
    }
  })
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work], worker: false } })
  await app.ready()
  const client = await look()
  t.match(await client.whole(), { 'name:work': { counts: { completed: 1, waiting: 0 } } })
  app.backgroundTasks.add(work, {})
  await client.until((entries) => entries['name:work']?.counts.waiting === 1)
  t.match(client.entries['name:work'], { where: 'elsewhere', counts: { completed: 1 } })
  held.resolve()
  await client.until((entries) => entries['name:work']?.counts.waiting === 0)
})

t.test('an engine without list and counts: the dashboard tells of this process', async (t) => {
  const { list, counts, watchAll, retry, payload, ...engine } = createRemote()
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work], worker: false }, dashboard: { actions: true, payload: true } })
  await app.ready()
  const clients = [await look(), await look('tasks/waiting'), await look('tasks/failed')]
  for (const client of clients) await client.whole()
  const latch = createLatch()
  const held = app.backgroundTasks.add({ name: 'held' }, () => latch.promise)
  const { id } = app.backgroundTasks.add(work, {}, { delay: 60_000 })
  await app.backgroundTasks.flush()
  await clients[0]!.until(({ counts, 'name:held': held }) => counts?.active === 1 && counts.waiting === 0 && held?.counts.active === 1)
  const client = await look(`task/${id}`)
  t.match(await client.whole(), { task: { state: 'delayed', where: 'stored', canCancel: true, canRetry: false } })
  t.notOk('payload' in client.entries.task!)
  t.ok(held)
  latch.resolve()
})

t.test('a stored task that was retried here goes on in its lane', async (t) => {
  const engine = createDistantEngine()
  let attempts = 0
  const work = named(() => { if (++attempts < 3) throw new Error('no luck') }, { retry: { retries: 1, delay: 1, jitter: false } })
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work] } })
  app.post('/', async (req) => {
    req.backgroundTasks.add(work, {})
    return {}
  })
  await app.ready()
  const client = await look('request/1')
  await client.whole()
  await app.inject({ method: 'POST', url: '/' })
  const { request } = await client.until(({ request }) => request?.lanes[0]?.state === 'failed')
  const [lane] = request!.lanes
  t.match(lane, { attempts: [{ attempt: 1, outcome: 'failed' }, { attempt: 2, outcome: 'failed' }], error: { message: 'no luck' } })
  t.notOk('isElsewhere' in lane!, 'it ran here')
  await turnUntil(() => attempts === 2)
  t.equal(await app.backgroundTasks.retry(lane!.id!), true)
  const { request: after } = await client.until(({ request }) => request?.lanes[0]?.state === 'completed')
  t.equal(after!.lanes.length, 1)
  t.match(after!.lanes[0], { attempts: [{ attempt: 1 }, { attempt: 2 }, { attempt: 1, outcome: 'completed' }] })
  t.notOk('error' in after!.lanes[0]!)
})

for (const isShared of [false, true]) {
  t.test(`a task whose key is taken in ${isShared ? 'a shared store' : 'this process'} is shown as the one that has the key`, async (t) => {
    const [latch, added] = [createLatch(), createLatch()]
    const work = named(() => latch.promise)
    const { app, look } = await createScene(t, { tasks: { tasks: [work], ...(isShared && { engine: createDistantEngine() }) } })
    let requests = 0
    app.post('/', async (req) => {
      req.backgroundTasks.add(work, {}, { key: 'k' })
      // Both have added before the first is stored, so neither knows that the key is taken.
      if (++requests === 2) added.resolve()
      await added.promise
      return {}
    })
    await app.ready()
    const [client, first, second] = [await look(), await look('request/1'), await look('request/2')]
    await client.whole()
    await Promise.all([1, 2].map(() => app.inject({ method: 'POST', url: '/' })))
    const isActive = ({ lanes }: { lanes: Array<{ state: string }> }): boolean => lanes[0]?.state === 'active'
    const entries = await client.until(({ 'request:1': one, 'request:2': two }) => one && two && isActive(one) && isActive(two))
    const [one, two] = [entries['request:1']!.lanes[0]!, entries['request:2']!.lanes[0]!]
    t.match(two, { id: one.id!, attempts: [{ attempt: 1 }] })
    t.not(two.number, one.number)
    latch.resolve()
    for (const view of [first, second]) await view.until(({ request }) => request?.lanes[0]?.state === 'completed')
    await client.until((entries) => entries['request:2']?.lanes[0]?.state === 'completed')
    t.match(client.entries['name:work'], { counts: { waiting: 0, active: 0, completed: 1 } })
  })
}
