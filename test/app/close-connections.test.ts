import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t, { type Test } from 'tap'
import backgroundTasks from '../../index.js'
import { noteClose, slowTask } from '../support/close-notes.js'
import { type Latch, createLatch } from '../support/latch.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1, overHttp2 } from '../support/transports.js'
import { nextTurn } from '../support/turns.js'

t.test('close waits for the tasks of requests that are still in flight', async (t) => {
  const events: string[] = []
  const released = createLatch()
  const begun = createLatch()
  const app = overHttp1.create({ forceCloseConnections: false, keepAliveTimeout: 1 })
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'database')))
  app.addHook('preClose', async () => { released.resolve() })
  app.get('/', async (request) => {
    request.backgroundTasks.add(slowTask(events, 'early'))
    begun.resolve()
    await released.promise
    for (let turns = 0; turns < 5; turns++) await nextTurn()
    events.push('handler')
    request.backgroundTasks.add(slowTask(events, 'late'))
    return 'hello'
  })
  const client = await RawClient.connect(app)
  client.send('GET', '/', { connection: 'close' })
  await begun.promise
  await app.close()
  t.same(events, ['handler', 'early', 'late', 'database closed'])
  t.match(client.received, /^HTTP\/1.1 200 /)
})

async function testConnections (t: Test, options: object, headers: Record<string, string>): Promise<void> {
  const events: string[] = []
  const app = overHttp1.create({ keepAliveTimeout: 1, ...options })
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'database')))
  app.get('/', async (request) => {
    request.backgroundTasks.add(slowTask(events, 'task'))
    return 'hello'
  })
  const clients = await Promise.all([1, 2, 3].map(() => RawClient.connect(app)))
  for (const client of clients) client.send('GET', '/', headers)
  await Promise.all(clients.map((client) => client.receive('hello')))
  const closed = app.close()
  await Promise.all(clients.map((client) => client.closed()))
  await closed
  t.same(events, ['task', 'task', 'task', 'database closed'])
}

for (const forceCloseConnections of [true, false, 'idle'] as const) {
  for (const headers of [{ connection: 'close' }, { connection: 'keep-alive' }]) {
    const title = `with forceCloseConnections ${forceCloseConnections} and connection: ${headers.connection}`
    t.test(`the tasks of every request that was answered are waited for, ${title}`, async (t) => {
      await testConnections(t, { forceCloseConnections }, headers)
    })
  }
}

t.test('with forceCloseConnections true, requests in flight are cut off and their tasks run once', async (t) => {
  const events: string[] = []
  const begun = createLatch()
  const app = overHttp1.create()
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'database')))
  app.get('/', async (request) => {
    request.backgroundTasks.add({}, (task) => { events.push(`${task.response?.outcome}`) })
    request.backgroundTasks.add({ when: 'success' }, () => { events.push('success') })
    begun.resolve()
    await once(request.raw.socket, 'close')
    return 'hello'
  })
  const client = await RawClient.connect(app)
  client.send('GET', '/')
  await begun.promise
  await app.close()
  t.same(events, ['aborted', 'database closed'])
})

/** Sends a second request on the connection of the first, once the app has begun to close. */
async function closeBetween (app: FastifyInstance, begun: Latch, released: Latch): Promise<RawClient> {
  app.addHook('preClose', async () => {
    // Not before the second request has come in: the connection must not fall idle in between.
    app.server.once('request', () => { released.resolve() })
    client.send('GET', '/second', { connection: 'close' })
  })
  const client = await RawClient.connect(app)
  client.send('GET', '/first')
  await begun.promise
  const closed = app.close()
  await client.closed()
  await closed
  return client
}

t.test('with return503OnClosing false, requests that come in while the app closes have their tasks run', async (t) => {
  const events: string[] = []
  const begun = createLatch()
  const released = createLatch()
  const app = overHttp1.create({ return503OnClosing: false, forceCloseConnections: false, keepAliveTimeout: 1 })
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'database')))
  app.get('/:name', async (request) => {
    const { name } = request.params as { name: string }
    if (name === 'first') {
      begun.resolve()
      await released.promise
    }
    request.backgroundTasks.add(slowTask(events, name))
    return name
  })
  const client = await closeBetween(app, begun, released)
  t.match(client.received, /first[^]*second$/, 'both were answered')
  t.same(events, ['first', 'second', 'database closed'])
})

t.test('with return503OnClosing true, a request refused with 503 adds nothing and disturbs nothing', async (t) => {
  const events: string[] = []
  const begun = createLatch()
  const released = createLatch()
  const app = overHttp1.create({ forceCloseConnections: false, keepAliveTimeout: 1 })
  await app.register(backgroundTasks)
  app.get('/:name', async (request) => {
    const { name } = request.params as { name: string }
    begun.resolve()
    await released.promise
    request.backgroundTasks.add(slowTask(events, name))
    return name
  })
  const client = await closeBetween(app, begun, released)
  t.match(client.received, /first[^]*503 Service Unavailable/)
  t.same(events, ['first'])
})

t.test('over HTTP/2, close waits for the tasks of requests that are still in flight', async (t) => {
  const events: string[] = []
  const begun = createLatch()
  const released = createLatch()
  const app = overHttp2.create()
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'database')))
  app.addHook('preClose', async () => { released.resolve() })
  app.get('/', async (request) => {
    begun.resolve()
    await released.promise
    request.backgroundTasks.add(slowTask(events, 'task'))
    return 'hello'
  })
  const answer = overHttp2.call(app, {})
  await begun.promise
  await app.close()
  t.same(events, ['task', 'database closed'])
  t.match(await answer, { status: 200, body: 'hello' })
})
