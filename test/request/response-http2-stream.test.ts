import http2, { type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2'
import { fileURLToPath } from 'node:url'
import type { FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks from '../../index.js'
import { createLatch } from '../support/latch.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { overHttp2 } from '../support/transports.js'

const here = fileURLToPath(import.meta.url)
const { HTTP2_HEADER_STATUS, NGHTTP2_INTERNAL_ERROR } = http2.constants
const headers = (status: number): http2.OutgoingHttpHeaders => ({ [HTTP2_HEADER_STATUS]: status })

interface Row {
  readonly title: string
  readonly statusCode: number
  readonly outcome: 'sent' | 'aborted'
  /** What a hijacked reply does with its HTTP/2 stream. */
  readonly act: (stream: ServerHttp2Stream) => void
}

const rows: Row[] = [
  {
    title: 'respond and end',
    statusCode: 207,
    outcome: 'sent',
    act (stream) {
      stream.respond(headers(207))
      stream.end('hello')
    }
  },
  {
    title: 'respond with an error status and end',
    statusCode: 418,
    outcome: 'sent',
    act (stream) {
      stream.respond(headers(418))
      stream.end('hello')
    }
  },
  {
    title: 'respond without a body',
    statusCode: 204,
    outcome: 'sent',
    act (stream) { stream.respond(headers(204), { endStream: true }) }
  },
  {
    title: 'respondWithFile',
    statusCode: 206,
    outcome: 'sent',
    act (stream) { stream.respondWithFile(here, headers(206)) }
  },
  {
    title: 'respondWithFile of a file that is not there',
    statusCode: 404,
    outcome: 'sent',
    act (stream) {
      stream.respondWithFile('/is/not/there', headers(200), {
        onError () {
          stream.respond(headers(404))
          stream.end('gone')
        }
      })
    }
  },
  {
    title: 'respond, then close with an error',
    statusCode: 207,
    outcome: 'aborted',
    act (stream) {
      stream.respond(headers(207))
      stream.write('hel')
      stream.close(NGHTTP2_INTERNAL_ERROR)
    }
  },
  {
    title: 'respond, then destroy',
    statusCode: 207,
    outcome: 'aborted',
    act (stream) {
      stream.respond(headers(207))
      stream.write('hel')
      stream.destroy()
    }
  },
  {
    title: 'close before anything is sent',
    statusCode: 200,
    outcome: 'aborted',
    act (stream) { stream.close() }
  }
]

/** Runs the row with tasks added where `add` says. */
async function runRow (t: Test, { act, statusCode, outcome }: Row, isKnown: boolean): Promise<void> {
  const probe = new Probe()
  const replied = createLatch()
  const app = overHttp2.create()
  t.teardown(() => app.close())
  // An earlier plugin that hijacks and never calls `done`: the plugin is never shown the reply.
  app.addHook('onRequest', (request: FastifyRequest, reply, done) => {
    if (isKnown) {
      done()
      return
    }
    probe.watch(request, reply)
    probe.add(request)
    reply.hijack()
    act((reply.raw as unknown as Http2ServerResponse).stream)
    replied.resolve()
  })
  await app.register(backgroundTasks)
  app.get('/', (request, reply) => {
    probe.watch(request, reply)
    probe.add(request)
    reply.hijack()
    act((reply.raw as unknown as Http2ServerResponse).stream)
    replied.resolve()
  })
  await Promise.all([overHttp2.call(app, {}), replied.promise])
  await probe.settled(app)
  t.same(actualRuns(probe), expectedRuns({ outcome, statusCode }))
}

for (const row of rows) {
  const { title, outcome, statusCode } = row
  t.test(`over HTTP/2, a hijacked reply by its stream counts as ${outcome} with ${statusCode}: ${title}`, async (t) => {
    await runRow(t, row, true)
  })
  t.test(`the same in an onRequest hook of an earlier plugin: ${title}`, async (t) => {
    await runRow(t, row, false)
  })
}
