import type { PassThrough } from 'node:stream'
import t from 'tap'
import { LiveClient } from '../support/live-client.js'
import { createScene, prefix } from '../support/dashboard.js'
import { createDistantEngine, createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { RawClient } from '../support/raw-client.js'
import { named } from '../support/stored-app.js'
import { until } from '../support/until.js'

t.test('a stream is open before there is anything to say', async (t) => {
  const answer = createLatch()
  const engine = createDistantEngine((inner) => ({
    async counts () {
      await answer.promise
      return await inner.counts!()
    }
  }))
  const { look } = await createScene(t, { tasks: { engine } })
  const client = await look()
  t.match(client.response.headers, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' })
  while (client.comments.length === 0) await client.next()
  t.same(client.events, [], 'the view waits for the store')
  answer.resolve()
  t.match(await client.whole(), { counts: { waiting: 0 } })
  t.equal(client.events.length, 1)
})

t.test('a view does not wait for a store that takes long', async (t) => {
  const answer = createLatch<never>()
  const engine = createDistantEngine(() => ({ counts: () => answer.promise }))
  const { app, look } = await createScene(t, { tasks: { engine, storeTimeout: 60_000 } })
  app.backgroundTasks.add(function mail () {})
  const client = await look()
  t.match(await client.whole(), { counts: { completed: Number } })
  t.notOk('store' in client.entries)
  // The time limit of the question would outlive the test.
  answer.resolve(undefined as never)
})

t.test('there are at most four updates a second, however much happens', async (t) => {
  const { app, look } = await createScene(t)
  const client = await look()
  await client.whole()
  const busy = setInterval(() => { app.backgroundTasks.add(() => {}) }, 1)
  t.teardown(() => { clearInterval(busy) })
  while (client.events.length < 10) await client.next()
  const [, first, ...rest] = client.events
  const last = rest.at(-1)!
  t.ok(last.at - first!.at >= rest.length * 240, `${rest.length} updates in ${last.at - first!.at} ms`)
})

t.test('nothing is said while nothing changes, and a comment keeps the stream alive', async (t) => {
  const { setInterval: start } = globalThis
  t.intercept(globalThis, 'setInterval', { value: (fn: () => void, ms: number) => start(fn, ms === 15_000 ? 50 : ms) })
  const { app, look } = await createScene(t)
  const { id } = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  const client = await look(`task/${id}`)
  await client.whole()
  while (client.comments.length < 20) await client.next()
  t.equal(client.events.length, 1)
})

t.test('viewers of the same view share one feed', async (t) => {
  let counted = 0
  const engine = createDistantEngine((inner) => ({
    counts () {
      counted++
      return inner.counts!()
    }
  }))
  const { look } = await createScene(t, { tasks: { engine } })
  const clients = [await look(), await look(), await look()]
  for (const client of clients) await client.whole()
  t.equal(counted, 1)
  t.equal(clients[1]!.events[0]!.text.replace(/"now":\d+/, ''), clients[2]!.events[0]!.text.replace(/"now":\d+/, ''))
})

t.test('a twenty-first stream is 503, and one that ends makes room', async (t) => {
  const { ask, look } = await createScene(t)
  const clients = await Promise.all(Array.from({ length: 20 }, () => look()))
  const { status, body } = await ask('/live?view=overview')
  t.equal(status, 503)
  t.match(JSON.parse(body), { statusCode: 503, message: 'too many pages of the dashboard are open' })
  t.equal((await ask('')).status, 200, 'the page itself is there')
  clients[0]!.hangUp()
  await until(async () => {
    const client = await look().catch(() => undefined)
    return client !== undefined
  })
})

for (const view of ['', 'none', 'tasks/none', 'tasks', 'request/x', 'task/', 'tasks/waiting&name=a&name=b', 'overview&view=overview']) {
  t.test(`there is no view "${view}"`, async (t) => {
    const { app, ask } = await createScene(t)
    const { status, body } = await ask(`/live?view=${view}`)
    t.equal(status, 404)
    t.match(JSON.parse(body), { message: 'there is no such view' })
    t.equal((await ask('/live')).status, 404)
    t.equal((app.backgroundTasks as any).services.census.observer, undefined, 'nothing is recorded for it')
  })
}

t.test('all streams end when the app closes, and do not hold it up', async (t) => {
  const { app, look } = await createScene(t, { server: { forceCloseConnections: false } })
  const clients = [await look(), await look('tasks/failed'), await look('request/1')]
  for (const client of clients) await client.whole()
  const closed = app.close()
  for (const client of clients) await client.end()
  await closed
  t.pass('closed')
})

t.test('a client that does not read is cut when the app closes', async (t) => {
  const { app } = await createScene(t, { server: { forceCloseConnections: false } })
  app.get('/', async (req) => {
    for (let n = 0; n < 4; n++) req.backgroundTasks.add({ name: 'long '.repeat(20_000) }, () => {})
    return {}
  })
  const client = await RawClient.connect(app)
  client.socket.pause()
  client.send('GET', `${prefix}/live?view=overview`)
  const census = (app.backgroundTasks as any).services.census
  await until(() => census.observer !== undefined)
  for (let n = 0; n < 40; n++) await app.inject('/')
  await app.close()
  t.pass('closed')
})

t.test('a slow client gets the whole view again once it has read the rest', async (t) => {
  const { app, look } = await createScene(t)
  let stream: PassThrough | undefined
  app.addHook('onSend', async (req, reply, payload) => { if (req.url.includes('/live')) stream ??= payload as PassThrough })
  let requests = 0
  app.get('/', async (req) => {
    for (let n = 0; n < 4; n++) req.backgroundTasks.add({ name: 'long '.repeat(20_000) }, () => {})
    requests++
    return {}
  })
  const [client, quick] = [await look(), await look()]
  await client.whole()
  client.response.pause()
  await until(async () => {
    await app.inject('/')
    return stream!.writableNeedDrain
  }, 60_000)
  const before = client.events.length
  await app.inject('/')
  // By then the slow one has missed an update.
  await quick.until((entries) => entries[`request:${requests}`]?.lanes[3]?.state === 'completed')
  client.response.resume()
  await client.until((entries) => entries[`request:${requests}`]?.lanes[3]?.state === 'completed')
  const later = client.events.slice(before)
  t.ok(later.some(({ event }) => event === 'view'), 'the whole view came again')
})

t.test('a stream of a view that is gone leaves nothing behind', async (t) => {
  const watching = { all: 0 }
  const engine = createEngine((inner) => ({
    watchAll (onChange) {
      watching.all++
      const end = inner.watchAll!(onChange)
      return () => {
        watching.all--
        end()
      }
    }
  }))
  const { look } = await createScene(t, { tasks: { engine } })
  const clients = [await look(), await look(), await look('tasks/waiting'), await look('task/none'), await look('request/7')]
  for (const client of clients) await client.whole()
  t.equal(watching.all, 1, 'one watch for all')
  for (const client of clients) client.hangUp()
  await until(() => watching.all === 0)
})

t.test('an engine that does not tell of its changes is asked now and then', async (t) => {
  const { setInterval: start } = globalThis
  const timers = new Set<unknown>()
  t.intercept(globalThis, 'setInterval', {
    value (fn: () => void, ms: number) {
      const timer = start(fn, ms === 2000 ? 20 : ms)
      if (ms === 2000) timers.add(timer)
      return timer
    }
  })
  const { clearInterval: end } = globalThis
  t.intercept(globalThis, 'clearInterval', {
    value (timer: NodeJS.Timeout) {
      timers.delete(timer)
      end(timer)
    }
  })
  let waiting = 0
  const { watchAll, ...engine } = createDistantEngine((inner) => ({ counts: async () => ({ ...await inner.counts!(), waiting: ++waiting }) }))
  const { look } = await createScene(t, { tasks: { engine } })
  const client = await look()
  await client.until(({ counts }) => counts !== undefined && counts.waiting > 2)
  client.hangUp()
  await until(() => timers.size === 0)
})

t.test('what is done for viewers is not done in the context of a request', async (t) => {
  const { AsyncLocalStorage } = await import('node:async_hooks')
  const storage = new AsyncLocalStorage<string>()
  const seen = new Set<string | undefined>()
  const engine = createDistantEngine((inner) => ({
    counts () {
      seen.add(storage.getStore())
      return inner.counts!()
    }
  }))
  const work = named(() => {})
  const { app, look } = await createScene(t, {
    tasks: { engine, tasks: [work] },
    before: (app) => { app.addHook('onRequest', (req, reply, done) => { storage.run(req.id, done) }) }
  })
  app.post('/', async (req) => {
    req.backgroundTasks.add(work, {})
    return {}
  })
  const client = await look()
  await client.whole()
  for (let n = 1; n < 4; n++) {
    await app.inject({ method: 'POST', url: '/' })
    await client.until(({ counts }) => counts?.completed === n)
  }
  t.same([...seen], [undefined])
})

t.test('two dashboards of an app share what is recorded', async (t) => {
  const { dashboard } = await import('../../lib/dashboard.js')
  const { app, look } = await createScene(t, { after: (app) => app.register(dashboard, { prefix: '/readers', onRequest: [], actions: false }) })
  const [first, second] = [await look(), await LiveClient.open(t, app, '/readers/live?view=overview')]
  await first.whole()
  await second.whole()
  app.backgroundTasks.add(function mail () {})
  for (const client of [first, second]) await client.until((entries) => entries['name:mail']?.counts.completed === 1)
  first.hangUp()
  app.backgroundTasks.add(function mail () {})
  await second.until((entries) => entries['name:mail']?.counts.completed === 2)
})
