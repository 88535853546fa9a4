import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks from '../../index.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1 } from '../support/transports.js'
import { nextTurn, turnUntil } from '../support/turns.js'
import { requestUpgrade } from '../support/websocket-client.js'

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n'

/** An app whose handler takes the socket away from the response and answers what comes in. */
async function createEcho (t: Test, probe: Probe): Promise<FastifyInstance> {
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  app.get('/before', async () => 'before')
  app.get('/', (request, reply) => {
    const { socket } = request.raw
    probe.watch(request, reply)
    probe.add(request, 'early')
    reply.hijack()
    reply.raw.detachSocket(socket)
    probe.add(request, 'late')
    socket.write(SWITCHING)
    socket.on('end', () => { socket.end() })
    socket.on('data', (chunk) => { socket.write(`echo ${chunk.toString()}`) })
  })
  return app
}

/** Both tasks wait while the socket is open, and run once when it closes. */
async function testEcho (t: Test, app: FastifyInstance, probe: Probe, client: RawClient): Promise<void> {
  await client.receive('\r\n\r\n')
  client.socket.write('hello')
  await client.receive('echo hello')
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  t.same(probe.runs, [], 'an open socket keeps them waiting')
  client.socket.destroy()
  await turnUntil(() => probe.runs.length > 0)
  await probe.settled(app)
  const { response } = probe.runs[0]!
  t.equal(response?.outcome, 'aborted')
  const [early, late] = ['early', 'late'].map((label) => expectedRuns(response!, label)) as Array<{ runs: object[], states: string[] }>
  t.same(actualRuns(probe), { runs: [...early!.runs, ...late!.runs], states: [...early!.states, ...late!.states] })
}

t.test('tasks of a request whose handler detaches the socket run once when the socket closes', async (t) => {
  const probe = new Probe()
  const app = await createEcho(t, probe)
  await testEcho(t, app, probe, await requestUpgrade(app))
})

t.test('the same behind another request on the connection', async (t) => {
  const probe = new Probe()
  const app = await createEcho(t, probe)
  const client = await RawClient.connect(app)
  client.send('GET', '/before')
  await client.receive('before')
  client.received = ''
  client.send('GET', '/', { connection: 'upgrade', upgrade: 'echo' })
  await testEcho(t, app, probe, client)
})

t.test('the same where an upgrade listener gives the request a response of its own', async (t) => {
  const probe = new Probe()
  const app = await createEcho(t, probe)
  app.server.on('upgrade', (request, socket: Socket) => {
    const response = new ServerResponse(request)
    response.assignSocket(socket)
    app.routing(request, response)
  })
  await testEcho(t, app, probe, await requestUpgrade(app))
})

t.test('a socket keeps nothing of a request that is over', async (t) => {
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  const sockets = new Set<Socket>()
  app.get('/', async (request) => {
    sockets.add(request.raw.socket)
    request.backgroundTasks.add(() => {})
    return 'hello'
  })
  const client = await RawClient.connect(app)
  for (let turn = 1; turn <= 20; turn++) {
    client.send('GET', '/')
    await client.receive('hello', turn)
  }
  await app.backgroundTasks.idle()
  const [socket] = [...sockets]
  t.equal(sockets.size, 1)
  const ours = Object.getOwnPropertySymbols(socket).filter(({ description }) => description?.startsWith('fastify-background-tasks'))
  t.not(ours.length, 0)
  for (const symbol of ours) t.equal((socket as unknown as Record<symbol, unknown>)[symbol], undefined)
  t.ok(socket!.listenerCount('close') < 6, 'one listener serves all requests')
})

t.test('a request that a task still needs keeps nothing of its reply', async (t) => {
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  const seen: Array<[FastifyRequest, FastifyReply]> = []
  app.get('/', async (request, reply) => {
    seen.push([request, reply])
    request.backgroundTasks.add(() => {})
    return 'hello'
  })
  await overHttp1.call(app, {})
  await app.backgroundTasks.idle()
  const [[request, reply]] = seen as [[FastifyRequest, FastifyReply]]
  const ours = Object.getOwnPropertySymbols(request).filter(({ description }) => description?.startsWith('fastify-background-tasks'))
  t.not(ours.length, 0)
  for (const symbol of ours) t.not((request as unknown as Record<symbol, unknown>)[symbol], reply)
})
