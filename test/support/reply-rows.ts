import { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type FastifyInstance, type FastifyServerOptions, fastify } from 'fastify'
import type { Call } from './transports.js'

/** One way to reply, and the status that the client gets. */
export interface ReplyRow {
  readonly title: string
  readonly status: number
  readonly call?: Call
  readonly options?: FastifyServerOptions
  /** Why Fastify itself cannot do it. */
  readonly skip?: string | false
  setup (app: FastifyInstance): void
}

const json = { 'content-type': 'application/json' }

function brokenStream (): Readable {
  return new Readable({ read () { this.destroy(new Error('nothing to read')) } })
}

function webStream (): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start (controller) {
      controller.enqueue(Buffer.from('hello'))
      controller.close()
    }
  })
}

/** Every kind of reply that reaches the client. */
export const replyRows: readonly ReplyRow[] = [
  {
    title: 'a returned value',
    status: 200,
    setup (app) { app.get('/', async () => 'hello') }
  },
  {
    title: 'reply.send in a callback',
    status: 201,
    setup (app) { app.get('/', (_request, reply) => { setImmediate(() => { reply.code(201).send('hello') }) }) }
  },
  {
    title: 'a value returned after an await',
    status: 200,
    setup (app) {
      app.get('/', async () => {
        await nextTurn()
        return { hello: 'world' }
      })
    }
  },
  {
    title: 'a body of one megabyte',
    status: 200,
    setup (app) { app.get('/', async () => Buffer.alloc(2 ** 20)) }
  },
  {
    title: 'a Response object',
    status: 202,
    setup (app) { app.get('/', async () => new Response('hello', { status: 202 })) }
  },
  {
    title: 'a reply with a trailer',
    status: 200,
    setup (app) {
      app.get('/', async (_request, reply) => {
        reply.trailer('etag', (_reply, _payload, done) => { done(null, 'x') })
        return 'hello'
      })
    }
  },
  {
    title: 'a handler that throws',
    status: 500,
    setup (app) { app.get('/', async () => { throw new Error('no') }) }
  },
  {
    title: 'a custom error handler',
    status: 422,
    setup (app) {
      app.setErrorHandler(async (_error, _request, reply) => reply.code(422).send('no'))
      app.get('/', async () => { throw new Error('no') })
    }
  },
  {
    title: 'an error handler that throws too',
    status: 500,
    setup (app) {
      app.setErrorHandler(async () => { throw new Error('again') })
      app.get('/', async () => { throw new Error('no') })
    }
  },
  {
    title: 'an unknown route',
    status: 404,
    setup () {}
  },
  {
    title: 'a not found handler of its own',
    status: 410,
    setup (app) { app.setNotFoundHandler(async (_request, reply) => reply.code(410).send('gone')) }
  },
  {
    title: 'callNotFound',
    status: 404,
    setup (app) { app.get('/', (_request, reply) => { reply.callNotFound() }) }
  },
  {
    title: 'a validation error',
    status: 400,
    call: { method: 'POST', headers: json, body: '{"width":"wide"}' },
    setup (app) {
      const body = { type: 'object', properties: { width: { type: 'integer' } } }
      app.post('/', { schema: { body } }, async () => 'hello')
    }
  },
  {
    title: 'a body that is not JSON',
    status: 400,
    call: { method: 'POST', headers: json, body: '{' },
    setup (app) { app.post('/', async () => 'hello') }
  },
  {
    title: 'a body over the limit',
    status: 413,
    call: { method: 'POST', headers: json, body: JSON.stringify('x'.repeat(1000)) },
    options: { bodyLimit: 100 },
    setup (app) { app.post('/', async () => 'hello') }
  },
  {
    title: 'a content type that nobody parses',
    status: 415,
    call: { method: 'POST', headers: { 'content-type': 'image/png' }, body: 'x' },
    setup (app) { app.post('/', async () => 'hello') }
  },
  {
    title: 'an onRequest hook that replies',
    status: 401,
    setup (app) {
      app.addHook('onRequest', async (_request, reply) => reply.code(401).send('no'))
      app.get('/', async () => 'hello')
    }
  },
  {
    title: 'HEAD',
    status: 200,
    call: { method: 'HEAD' },
    setup (app) { app.get('/', async () => 'hello') }
  },
  {
    title: '204',
    status: 204,
    setup (app) { app.get('/', async (_request, reply) => { reply.code(204) }) }
  },
  {
    title: '304',
    status: 304,
    setup (app) { app.get('/', async (_request, reply) => reply.code(304).send()) }
  },
  {
    title: 'a serializer that throws',
    status: 500,
    setup (app) {
      const response = { 200: { type: 'object', required: ['id'], properties: { id: { type: 'integer' } } } }
      app.get('/', { schema: { response } }, async () => ({ name: 'no id' }))
    }
  },
  {
    title: 'an onSend hook that throws',
    status: 500,
    setup (app) {
      app.addHook('onSend', async () => { throw new Error('no') })
      app.get('/', async () => 'hello')
    }
  },
  {
    title: 'reply.raw.end()',
    status: 200,
    setup (app) { app.get('/', (_request, reply) => { reply.raw.end('hello') }) }
  },
  {
    title: 'hijack, then end',
    status: 203,
    setup (app) {
      app.get('/', (_request, reply) => {
        reply.hijack()
        reply.raw.writeHead(203)
        setImmediate(() => { reply.raw.end('hello') })
      })
    }
  },
  {
    title: 'hijack in an onRequest hook, then end',
    status: 203,
    setup (app) {
      app.addHook('onRequest', async (_request, reply) => {
        reply.hijack()
        reply.raw.writeHead(203)
        setImmediate(() => { reply.raw.end('hello') })
      })
      app.get('/', async () => 'hello')
    }
  },
  {
    title: 'a redirect',
    status: 302,
    setup (app) { app.get('/', async (_request, reply) => reply.redirect('/elsewhere')) }
  },
  {
    title: 'a stream',
    status: 200,
    setup (app) { app.get('/', async () => Readable.from(['hel', 'lo'])) }
  },
  {
    title: 'a web stream',
    status: 200,
    setup (app) { app.get('/', async (_request, reply) => reply.send(webStream())) }
  },
  {
    title: 'a stream that fails before its first byte',
    status: 500,
    setup (app) { app.get('/', async () => brokenStream()) }
  },
  {
    title: 'a handlerTimeout before the headers',
    status: 503,
    options: { handlerTimeout: 20 },
    setup (app) { app.get('/', () => new Promise(() => {})) }
  }
]

/** One way to break off a reply in the middle; the status is that of the headers already sent, or yet to be sent. */
export const brokenReplyRows: readonly ReplyRow[] = [
  {
    title: 'a stream that fails midway',
    status: 200,
    setup (app) {
      app.get('/', async () => Readable.from((async function * () {
        yield 'hel'
        await nextTurn()
        throw new Error('broken')
      })()))
    }
  },
  {
    title: 'a web stream that fails midway',
    status: 201,
    setup (app) {
      app.get('/', async (_request, reply) => reply.code(201).send(new ReadableStream({
        async pull (controller) {
          await nextTurn()
          if (reply.raw.headersSent) controller.error(new Error('broken'))
          else controller.enqueue(Buffer.from('hel'))
        }
      })))
    }
  },
  {
    title: 'response.destroy() before the reply',
    status: 200,
    setup (app) { app.get('/', (_request, reply) => { reply.hijack().raw.destroy() }) }
  },
  ...[undefined, new Error('no')].map((error): ReplyRow => ({
    title: `response.destroy(${error === undefined ? '' : 'error'}) in the middle of the reply`,
    status: 203,
    setup (app) {
      app.get('/', (_request, reply) => {
        reply.hijack().raw.writeHead(203)
        reply.raw.write('hel')
        setImmediate(() => { reply.raw.destroy(error) })
      })
    }
  })),
  {
    title: 'a handlerTimeout in the middle of a stream',
    status: 200,
    options: { handlerTimeout: 50 },
    skip: fastify().version.startsWith('6.0.0-alpha.') && 'this Fastify writes a second head, which is an uncaught exception',
    setup (app) {
      app.get('/', async (_request, reply) => reply.send(Readable.from((async function * () {
        yield 'hel'
        await new Promise(() => {})
      })())))
    }
  }
]
