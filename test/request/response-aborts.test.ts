import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import t from 'tap'
import backgroundTasks, { type Task } from '../../index.js'
import { testAborted } from '../support/aborted.js'
import { createLatch } from '../support/latch.js'
import { Probe } from '../support/probe.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1 } from '../support/transports.js'

interface AbortRow {
  readonly title: string
  readonly options?: FastifyServerOptions
  readonly statusCode?: number
  /** `released` resolves once the tasks have run. */
  readonly handler: (request: FastifyRequest, reply: FastifyReply, released: Promise<void>) => unknown
  /** What the client does, from its request to its end. */
  readonly act: (client: RawClient, probe: Probe) => Promise<void>
}

const mebibyte = 2 ** 20
const octets = { 'content-type': 'application/octet-stream' }

/** Replies when released, which is after the client has gone. */
const replyLater: AbortRow['handler'] = async (_request, reply, released) => {
  await released
  return reply.code(201).send('hello')
}

/** Sends its first bytes and leaves it at that. */
const stall: AbortRow['handler'] = (_request, reply) => {
  reply.hijack().raw.writeHead(203)
  reply.raw.write('hel')
}

/** Sends a request, and goes on once its task has been added. */
function onceAdded (end: (socket: Socket) => unknown, ...request: Parameters<RawClient['send']>): AbortRow['act'] {
  return async (client, probe) => {
    client.send(...request)
    await probe.added
    end(client.socket)
  }
}

/** Sends a request, and goes on once this much of the reply has come. */
function onceReceived (text: string, end: (socket: Socket) => unknown): AbortRow['act'] {
  return async (client) => {
    client.send('GET', '/')
    await client.receive(text)
    end(client.socket)
  }
}

const destroy = (socket: Socket): unknown => socket.destroy()

const rows: AbortRow[] = [
  {
    title: 'the client closes before the reply',
    handler: replyLater,
    act: onceAdded(destroy, 'GET', '/')
  },
  {
    title: 'the client resets before the reply',
    handler: replyLater,
    act: onceAdded((socket) => socket.resetAndDestroy(), 'GET', '/')
  },
  {
    title: 'the client half-closes before the reply',
    handler: replyLater,
    act: onceAdded((socket) => socket.end(), 'GET', '/')
  },
  {
    title: 'the client of a POST whose body was read closes before the reply',
    handler: replyLater,
    act: onceAdded(destroy, 'POST', '/', { ...octets, 'content-length': 5 }, 'hello')
  },
  {
    title: 'the client closes in the middle of its body',
    handler: replyLater,
    act: onceAdded(destroy, 'POST', '/', { ...octets, 'content-length': 5 }, 'hel')
  },
  {
    title: 'the body breaks the protocol',
    handler: replyLater,
    act: onceAdded((socket) => socket.write('no number\r\n'), 'POST', '/', { ...octets, 'transfer-encoding': 'chunked' }, '2\r\nhe\r\n')
  },
  {
    title: 'the client closes during a reply',
    statusCode: 203,
    handler: stall,
    act: onceReceived('hel', destroy)
  },
  {
    title: 'the client half-closes during a reply',
    statusCode: 203,
    handler: stall,
    act: onceReceived('hel', (socket) => socket.end())
  },
  {
    title: 'the client closes during a stream',
    handler: async () => Readable.from((async function * () {
      for (;;) {
        await nextTurn()
        yield 'hello'
      }
    })()),
    act: onceReceived('hello', destroy)
  },
  {
    title: 'the client closes during a web stream',
    handler: async (_request, reply) => reply.send(new ReadableStream({
      async pull (controller) {
        await nextTurn()
        controller.enqueue(Buffer.from('hello'))
      }
    })),
    act: onceReceived('hello', destroy)
  },
  {
    title: 'the client closes an event stream',
    handler (_request, reply) {
      reply.hijack().raw.writeHead(200, { 'content-type': 'text/event-stream' })
      reply.raw.write('data: 1\n\n')
    },
    act: onceReceived('data: 1', destroy)
  },
  {
    title: 'the client closes a hijacked connection before a byte was written',
    handler (_request, reply) { reply.hijack() },
    act: onceAdded(destroy, 'GET', '/')
  },
  {
    title: 'the client closes on its third request of a connection',
    async handler (request, reply, released) {
      if (request.headers['x-third'] === undefined) return 'hello'
      return replyLater(request, reply, released)
    },
    async act (client, probe) {
      for (const times of [1, 2]) {
        client.send('GET', '/quiet')
        await client.receive('hello', times)
      }
      client.send('GET', '/', { 'x-third': 'yes' })
      await probe.added
      client.socket.destroy()
    }
  },
  {
    title: 'the client resets in the middle of a 30 MB reply',
    async handler () { return Buffer.alloc(30 * mebibyte) },
    async act (client, probe) {
      client.socket.pause()
      client.send('GET', '/')
      await probe.added
      await nextTurn()
      client.socket.resetAndDestroy()
    }
  },
  {
    title: 'connectionTimeout destroys the connection',
    options: { connectionTimeout: 50 },
    handler: () => new Promise(() => {}),
    async act (client) { client.send('GET', '/') }
  },
  {
    title: 'the handler destroys the socket',
    handler (request) { request.raw.socket.destroy() },
    async act (client) { client.send('GET', '/') }
  },
  {
    title: 'the handler destroys the response',
    statusCode: 204,
    handler (_request, reply) { reply.code(204).raw.destroy() },
    async act (client) { client.send('GET', '/') }
  }
]

for (const { title, options, statusCode = 200, handler, act } of rows) {
  t.test(`tasks run once when ${title}`, async (t) => {
    const probe = new Probe()
    const gone = createLatch()
    const released = createLatch()
    const app = overHttp1.create({ keepAliveTimeout: 1000, ...options })
    t.teardown(() => app.close())
    await app.register(backgroundTasks)
    app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer', bodyLimit: 30 * mebibyte }, (_request, body, done) => {
      done(null, body)
    })
    app.addHook('onRequest', async (request, reply) => {
      if (request.url !== '/') return
      probe.watch(request, reply)
      probe.add(request)
      request.raw.socket.once('close', () => { gone.resolve() })
    })
    app.all('/*', (request, reply) => handler(request, reply, released.promise))

    const client = await RawClient.connect(app)
    await act(client, probe)
    await testAborted(t, { app, probe, gone, released, statusCode })
  })
}

t.test('the signal of a task does not abort when its client disconnects', async (t) => {
  const disconnected = createLatch()
  const started = createLatch<Task>()
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  app.get('/', async (request) => {
    request.raw.socket.once('close', () => { disconnected.resolve() })
    request.backgroundTasks.add({}, async (task) => {
      t.notOk(task.signal.aborted)
      started.resolve(task)
      await disconnected.promise
    })
    return 'hello'
  })
  const client = await RawClient.connect(app)
  client.send('GET', '/')
  const task = await started.promise
  client.socket.resetAndDestroy()
  await app.backgroundTasks.idle({ timeout: 3000 })
  t.equal(task.state, 'completed')
  t.notOk(task.signal.aborted)
  t.same(task.response, { outcome: 'sent', statusCode: 200 })
})
