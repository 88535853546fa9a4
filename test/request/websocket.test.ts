import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks from '../../index.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import type { RawClient } from '../support/raw-client.js'
import { overHttp1 } from '../support/transports.js'
import { turnUntil } from '../support/turns.js'
import { openWebsocket, requestUpgrade, sendFrame } from '../support/websocket-client.js'

async function createSocketApp (t: Test, probe: Probe): Promise<FastifyInstance> {
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(backgroundTasks)
  app.get('/', { websocket: true }, (socket, request) => {
    probe.add(request)
    socket.on('message', (message: unknown) => { socket.send(`echo ${String(message)}`) })
    socket.on('close', () => { app.backgroundTasks.add({ name: 'after close' }, () => {}) })
  })
  app.get('/refused', { websocket: true, onRequest: async (_request, reply) => reply.code(401).send('no') }, () => {})
  return app
}

for (const [title, end] of [
  ['the client closes it', (client: RawClient) => { sendFrame(client, 'close') }],
  ['the connection dies', (client: RawClient) => { client.socket.resetAndDestroy() }]
] as const) {
  t.test(`the tasks of a websocket's request wait until ${title}, and run once`, async (t) => {
    const probe = new Probe()
    const app = await createSocketApp(t, probe)
    const client = await openWebsocket(app)
    sendFrame(client, 'text', 'hello')
    await client.receive('echo hello')
    t.same(probe.runs, [], 'an open websocket keeps them waiting')

    end(client)
    await turnUntil(() => probe.runs.length > 0)
    await probe.settled(app)
    await app.close()
    const { response } = probe.runs[0]!
    t.equal(response?.outcome, 'aborted')
    t.same(actualRuns(probe), expectedRuns(response!))
  })
}

t.test('the server that closes a websocket has its tasks run', async (t) => {
  const probe = new Probe()
  const app = await createSocketApp(t, probe)
  const client = await openWebsocket(app)
  await turnUntil(() => probe.tasks.length > 0)
  const closed = app.close()
  await client.receive('\x88')
  sendFrame(client, 'close')
  await closed
  t.equal(probe.runs.length, 1, 'before close() resolves')
})

t.test('a refused upgrade has its tasks run once, like any reply', async (t) => {
  const probe = new Probe()
  const app = await createSocketApp(t, probe)
  app.addHook('onRequest', async (request) => { probe.add(request) })
  const client = await requestUpgrade(app, '/refused')
  await client.receive('401 Unauthorized')
  await probe.settled(app)
  await app.close()
  t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: 401 }))
})

t.test('a websocket of injectWS has its tasks run', async (t) => {
  const probe = new Probe()
  const app = await createSocketApp(t, probe)
  await app.ready()
  const client = await app.injectWS('/')
  await turnUntil(() => probe.tasks.length > 0)
  client.terminate()
  await probe.settled(app)
  await app.close()
  t.equal(probe.runs.length, 1)
})

t.test('app.backgroundTasks.add takes work from the handlers of a websocket while it is open', async (t) => {
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(websocket)
  await app.register(backgroundTasks)
  app.get('/', { websocket: true }, (socket) => {
    socket.on('message', (message: unknown) => {
      app.backgroundTasks.add((text: string) => { socket.send(`task ${text}`) }, String(message))
    })
  })
  const client = await openWebsocket(app)
  sendFrame(client, 'text', 'hello')
  await client.receive('task hello')
  client.socket.destroy()
})
