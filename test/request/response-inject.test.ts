import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks from '../../index.js'
import { createLatch } from '../support/latch.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { injected } from '../support/transports.js'

async function createProbed (t: Test, probe: Probe): Promise<FastifyInstance> {
  const app = injected.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  app.addHook('onRequest', async (request, reply) => {
    probe.watch(request, reply)
    probe.add(request)
  })
  return app
}

t.test('tasks run once when the signal of inject aborts before the reply', async (t) => {
  const probe = new Probe()
  const released = createLatch()
  const app = await createProbed(t, probe)
  app.get('/', async () => {
    await released.promise
    return 'hello'
  })
  const controller = new AbortController()
  const answer = app.inject({ url: '/', signal: controller.signal })
  await probe.added
  controller.abort()
  await t.rejects(answer, { code: 'ABORT_ERR' })
  await probe.settled(app)
  const before = actualRuns(probe)
  t.same(before, expectedRuns({ outcome: 'aborted', statusCode: 200 }))
  released.resolve()
  await app.close()
  t.same(actualRuns(probe), before, 'what the handler does afterwards changes nothing')
})

t.test('tasks run once when the signal of inject has aborted already', async (t) => {
  const probe = new Probe()
  const app = await createProbed(t, probe)
  app.get('/', () => new Promise(() => {}))
  await t.rejects(app.inject({ url: '/', signal: AbortSignal.abort() }), { code: 'ABORT_ERR' })
  await probe.settled(app)
  await app.close()
  t.same(actualRuns(probe), expectedRuns({ outcome: 'aborted', statusCode: 200 }))
})

t.test('tasks run once, after the last byte, when inject hands out the reply as a stream', async (t) => {
  const probe = new Probe()
  const released = createLatch()
  const app = await createProbed(t, probe)
  app.get('/', async () => Readable.from((async function * () {
    yield 'hel'
    await released.promise
    yield 'lo'
  })()))
  const { stream } = await app.inject({ url: '/', payloadAsStream: true })
  const body = stream()
  await once(body, 'readable')
  t.same(probe.runs, [])
  released.resolve()
  t.equal((await body.toArray()).join(''), 'hello')
  await probe.settled(app)
  await app.close()
  t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: 200 }))
})

t.test('tasks run once when an injected reply is destroyed midway', async (t) => {
  const probe = new Probe()
  const app = await createProbed(t, probe)
  app.post('/', (_request, reply) => {
    reply.hijack().raw.writeHead(203)
    reply.raw.write('hel')
    setImmediate(() => { reply.raw.destroy() })
  })
  const { stream } = await app.inject({ method: 'POST', url: '/', payloadAsStream: true })
  await t.rejects(stream().toArray(), { code: 'LIGHT_ECONNRESET' })
  await probe.settled(app)
  await app.close()
  t.same(actualRuns(probe), expectedRuns({ outcome: 'aborted', statusCode: 203 }))
})

t.test('tasks run once when inject simulates a client that closes', async (t) => {
  const probe = new Probe()
  const app = await createProbed(t, probe)
  app.post('/', async () => 'hello')
  await app.inject({ method: 'POST', url: '/', payload: { a: 1 }, simulate: { close: true, end: true, split: false, error: false } })
  await probe.settled(app)
  await app.close()
  t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: 200 }))
})

t.test('tasks run once for requests injected before the app is ready', async (t) => {
  const probe = new Probe()
  const app = await createProbed(t, probe)
  app.get('/', async () => 'hello')
  // Three at once, the first of which makes the app ready.
  await Promise.all([app.inject('/'), app.inject('/'), app.inject('/')])
  await probe.settled(app)
  await app.close()
  t.equal(probe.runs.length, 6)
})
