import { once } from 'node:events'
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type Http2ServerResponse } from 'node:http2'
import { type Socket, connect } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { testAborted } from '../support/aborted.js'
import { createLatch } from '../support/latch.js'
import { Probe } from '../support/probe.js'
import { overHttp2, portOf } from '../support/transports.js'
import { turnUntil } from '../support/turns.js'

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = http2.constants

interface Row {
  readonly title: string
  readonly statusCode?: number
  readonly body?: string
  readonly handler: (request: FastifyRequest, reply: FastifyReply, released: Promise<void>) => unknown
  readonly act: (client: Client) => Promise<void>
}

interface Client {
  readonly stream: ClientHttp2Stream
  readonly session: ClientHttp2Session
  readonly connection: Socket
  readonly probe: Probe
}

/** Replies when released, which is after the stream has gone. */
const replyLater: Row['handler'] = async (_request, reply, released) => {
  await released
  return reply.code(201).send('hello')
}

/** Sends its first bytes and leaves it at that. */
const stall: Row['handler'] = (_request, reply) => {
  reply.hijack().raw.writeHead(203)
  reply.raw.write('hel')
}

/** Ends the connection, or what it carries, once the first task has been added. */
function onceAdded (end: (client: Client) => unknown): Row['act'] {
  return async (client) => {
    await client.probe.added
    end(client)
  }
}

/** Ends the connection, or what it carries, once the reply has begun. */
function onceBegun (end: (client: Client) => unknown): Row['act'] {
  return async (client) => {
    await once(client.stream, 'data')
    end(client)
  }
}

const rows: Row[] = [
  ...[NGHTTP2_CANCEL, NGHTTP2_NO_ERROR].flatMap((code): Row[] => [
    {
      title: `the client resets with code ${code} before the reply`,
      handler: replyLater,
      act: onceAdded(({ stream }) => stream.close(code))
    },
    {
      title: `the client of a POST resets with code ${code} before the reply`,
      body: 'hello',
      handler: replyLater,
      act: onceAdded(({ stream }) => stream.close(code))
    },
    {
      title: `the client resets with code ${code} during the reply`,
      statusCode: 203,
      handler: stall,
      act: onceBegun(({ stream }) => stream.close(code))
    }
  ]),
  {
    title: 'the client resets in the middle of a 30 MB reply in one write',
    handler (_request, reply) { reply.hijack().raw.end(Buffer.alloc(30 * 2 ** 20)) },
    async act ({ stream }) {
      await once(stream, 'data')
      stream.pause()
      stream.close(NGHTTP2_CANCEL)
    }
  },
  {
    title: 'the client resets in the middle of a large file that the stream itself sends',
    handler (_request, reply) { (reply.hijack().raw as unknown as Http2ServerResponse).stream.respondWithFile(process.execPath) },
    async act ({ stream }) {
      await once(stream, 'data')
      stream.pause()
      stream.close(NGHTTP2_CANCEL)
    }
  },
  {
    title: 'the client destroys its session before the reply',
    handler: replyLater,
    act: onceAdded(({ session }) => session.destroy())
  },
  {
    title: 'the connection dies during the reply',
    statusCode: 203,
    handler: stall,
    act: onceBegun(({ connection }) => connection.destroy())
  },
  {
    title: 'the connection dies before the reply',
    handler: replyLater,
    act: onceAdded(({ connection }) => connection.resetAndDestroy())
  },
  {
    title: 'the server closes the stream',
    handler (_request, reply) { (reply.raw as unknown as Http2ServerResponse).stream.close() },
    async act () {}
  }
]

for (const { title, statusCode = 200, body, handler, act } of rows) {
  t.test(`over HTTP/2, tasks run once when ${title}`, async (t) => {
    const probe = new Probe()
    const gone = createLatch()
    const released = createLatch()
    const app = overHttp2.create()
    t.teardown(() => app.close())
    await app.register(backgroundTasks)
    app.addContentTypeParser('*', { parseAs: 'string' }, async (_request: FastifyRequest, body: string) => body)
    app.addHook('onRequest', async (request, reply) => {
      probe.watch(request, reply)
      probe.add(request)
      reply.raw.once('close', () => { gone.resolve() })
    })
    app.all('/', (request, reply) => handler(request, reply, released.promise))

    const connection = connect(await portOf(app), '127.0.0.1')
    const session = http2.connect('http://localhost', { createConnection: () => connection })
    session.on('error', () => {})
    t.teardown(() => { session.destroy() })
    const stream = session.request({ ':method': body === undefined ? 'GET' : 'POST' }, { endStream: body === undefined })
    stream.on('error', () => {})
    if (body !== undefined) stream.end(body)
    await act({ stream, session, connection, probe })
    await testAborted(t, { app, probe, gone, released, statusCode })
  })
}

t.test('over HTTP/2, streams of one session are over each on its own', async (t) => {
  const app = overHttp2.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  const ran: string[] = []
  const pending = createLatch()
  app.get('/:name', async (request) => {
    const { name } = request.params as { name: string }
    request.backgroundTasks.add({}, (task) => { ran.push(`${name} ${task.response?.outcome}`) })
    if (name === 'slow') await pending.promise
    return name
  })
  const session = http2.connect(`http://127.0.0.1:${await portOf(app)}`)
  t.teardown(() => { session.destroy() })
  const slow = session.request({ ':path': '/slow' })
  const quick = session.request({ ':path': '/quick' })
  await once(quick.resume(), 'close')
  await turnUntil(() => ran.length > 0)
  t.same(ran, ['quick sent'], 'the slow one is still open')
  pending.resolve()
  await once(slow.resume(), 'close')
  await app.backgroundTasks.idle({ timeout: 3000 })
  t.same(ran, ['quick sent', 'slow sent'])
})
