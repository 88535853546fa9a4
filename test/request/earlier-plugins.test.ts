import http2 from 'node:http2'
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyReply } from 'fastify'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { createLatch } from '../support/latch.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { RawClient } from '../support/raw-client.js'
import { injected, overHttp1, overHttp2, portOf, transports } from '../support/transports.js'
import { requestUpgrade } from '../support/websocket-client.js'

/** What the onRequest hook of a plugin registered before this one does after it has added its tasks. */
const deeds: Record<string, { status: number, act (reply: FastifyReply): unknown }> = {
  'goes on': {
    status: 200,
    act () {}
  },
  replies: {
    status: 401,
    act: (reply) => reply.code(401).send('no')
  },
  throws: {
    status: 500,
    act () { throw new Error('no') }
  },
  'hijacks and ends': {
    status: 203,
    act (reply) {
      reply.hijack()
      reply.raw.statusCode = 203
      setImmediate(() => { reply.raw.end('hijacked') })
    }
  }
}

/** What else the earlier plugin does. */
const companions: Record<string, (app: FastifyInstance) => void> = {
  '': () => {},
  ', and its onResponse hook throws': (app) => { app.addHook('onResponse', async () => { throw new Error('no') }) },
  ', and its onResponse hook hangs': (app) => { app.addHook('onResponse', () => new Promise(() => {})) }
}

for (const transport of transports) {
  for (const [deed, { status, act }] of Object.entries(deeds)) {
    for (const [companion, addTo] of Object.entries(companions)) {
      // An injected response that no hook of ours has seen tells nobody that it is over.
      if (transport === injected && companion !== '' && deed !== 'goes on') continue
      const title = `over ${transport.name}, tasks run that an earlier plugin's onRequest hook adds before it ${deed}`
      t.test(title + companion, async (t) => {
        const probe = new Probe()
        const app = transport.create()
        t.teardown(() => app.close())
        addTo(app)
        app.addHook('onRequest', async (request, reply) => {
          probe.watch(request, reply)
          probe.add(request)
          return act(reply)
        })
        await app.register(backgroundTasks, { closeTimeout: 0 })
        app.get('/', async () => 'hello')

        t.match(await transport.call(app, {}), { status })
        await probe.settled(app)
        await app.close()

        t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: status }))
        t.ok(probe.runs.every(({ delay }) => delay <= 100), 'soon after the response')
      })
    }
  }
}

for (const deed of ['waits', 'hijacks'] as const) {
  t.test(`tasks run once when an earlier plugin's onRequest hook adds them and ${deed}, and the client closes`, async (t) => {
    const probe = new Probe()
    const released = createLatch()
    const app = overHttp1.create()
    t.teardown(() => app.close())
    app.addHook('onRequest', async (request, reply) => {
      probe.watch(request, reply)
      probe.add(request)
      if (deed === 'hijacks') reply.hijack()
      else await released.promise
    })
    await app.register(backgroundTasks, { closeTimeout: 0 })
    app.get('/', async () => 'hello')

    const client = await RawClient.connect(app)
    client.send('GET', '/')
    await probe.added
    client.socket.destroy()
    await probe.settled(app)
    const before = actualRuns(probe)
    released.resolve()
    await app.close()

    t.same(before, expectedRuns({ outcome: 'aborted', statusCode: 200 }))
    t.same(actualRuns(probe), before, 'what goes on afterwards changes nothing')
  })
}

t.test("tasks run once when an earlier plugin's onRequest hook adds them and waits, and the client resets its HTTP/2 stream", async (t) => {
  const probe = new Probe()
  const app = overHttp2.create()
  t.teardown(() => app.close())
  app.addHook('onRequest', async (request, reply) => {
    probe.watch(request, reply)
    probe.add(request)
    await new Promise(() => {})
  })
  await app.register(backgroundTasks, { closeTimeout: 0 })
  app.get('/', async () => 'hello')
  const session = http2.connect(`http://127.0.0.1:${await portOf(app)}`)
  t.teardown(() => { session.destroy() })
  const stream = session.request({ ':path': '/' })
  await probe.added
  stream.close(http2.constants.NGHTTP2_CANCEL)
  await probe.settled(app)
  t.same(actualRuns(probe), expectedRuns({ outcome: 'aborted', statusCode: 200 }))
})

t.test("the tasks of an earlier plugin's onRequest hook run once on an upgraded connection", async (t) => {
  const probe = new Probe()
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(websocket)
  app.addHook('onRequest', async (request) => { probe.add(request) })
  await app.register(backgroundTasks, { closeTimeout: 0 })
  app.get('/', { websocket: true }, (socket: { send (text: string): void }) => { socket.send('hello') })
  const client = await requestUpgrade(app)
  await client.receive('hello')
  t.same(probe.runs, [])
  client.socket.destroy()
  await probe.settled(app)
  t.equal(probe.runs.length, 1)
})
