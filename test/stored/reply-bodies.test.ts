import { EventEmitter, once } from 'node:events'
import { type ReadStream, createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance, FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createDistantEngine, createHeldEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { RawClient } from '../support/raw-client.js'
import { injected, overHttp1, overHttp2 } from '../support/transports.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const note = defineTask({ name: 'note', payload: {}, handler () {} })
const here = fileURLToPath(import.meta.url)

interface Body {
  readonly title: string
  readonly payload: unknown
  /** Breaks it. */
  readonly fail?: (error: Error) => void
  /** Whether it has been let go of. */
  readonly isOver: () => boolean | Promise<boolean>
}

/** Of a time before streams could be destroyed. */
function legacyStream (end: 'close' | 'abort', pipe = (): void => {}): Body {
  let isOver = false
  const payload = Object.assign(new EventEmitter(), { pipe, [end]: () => { isOver = true } })
  return { title: `a stream that can only ${end}`, payload, fail: (error) => { payload.emit('error', error) }, isOver: () => isOver }
}

function webBody (title: string, wrap: (stream: ReadableStream) => unknown, isRejecting = false): Body {
  let controller!: ReadableStreamDefaultController
  let isOver = false
  const stream = new ReadableStream({
    start (given) { controller = given },
    async cancel () {
      isOver = true
      if (isRejecting) throw new Error('cancel fails')
    }
  })
  return { title, payload: wrap(stream), fail: (error) => { controller.error(error) }, isOver: () => isOver }
}

const bodies: Array<() => Body> = [
  () => {
    const payload = new Readable({ read () {} })
    return { title: 'a stream', payload, fail: (error) => { payload.destroy(error) }, isOver: () => payload.destroyed }
  },
  () => legacyStream('close'),
  () => legacyStream('abort'),
  () => webBody('a web stream', (stream) => stream),
  () => webBody('a web stream that cannot be cancelled', (stream) => stream, true),
  () => webBody('a Response object', (stream) => new Response(stream))
]

/** An app whose engine, elsewhere, answers when it is told to. */
async function createHeldApp (t: Test, create = overHttp1.create): Promise<ReturnType<typeof createHeldEngine> & { app: FastifyInstance }> {
  const held = createHeldEngine(createDistantEngine)
  const app = create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks, { engine: held.engine, tasks: [note], closeTimeout: 0 })
  return { ...held, app }
}

for (const make of bodies) {
  for (const transport of [overHttp1, overHttp2, injected]) {
    t.test(`over ${transport.name}, ${make().title} that breaks while tasks are stored is an error of the reply`, async (t) => {
      const { app, engine, asked, release } = await createHeldApp(t, transport.create)
      const { payload, fail } = make()
      app.get('/', async (request, reply) => {
        request.backgroundTasks.add(note, {})
        return await reply.code(202).send(payload)
      })
      const answer = transport.call(app, {})
      await asked
      fail!(Object.assign(new Error('broken'), { statusCode: 507 }))
      await nextTurn()
      release()
      const { status, body } = await answer as { status: number, body: string }
      t.equal(status, 507)
      t.match(JSON.parse(body), { message: 'broken' })
      t.equal(engine.batches.length, 1, 'what is stored stays stored')
    })
  }

  t.test(`${make().title} is let go of when the engine refuses the tasks`, async (t) => {
    const engine = createDistantEngine(() => ({ add: async () => { throw new Error('no room') } }))
    const app = await createApp(t, { engine, tasks: [note] })
    const { payload, isOver } = make()
    app.get('/', async (request, reply) => {
      request.backgroundTasks.add(note, {})
      return await reply.send(payload)
    })
    t.equal((await app.inject('/')).statusCode, 503)
    t.equal(await isOver(), true)
  })
}

t.test('replies whose engine refuses the tasks leave no file open', async (t) => {
  const engine = createDistantEngine(() => ({ add: async () => { throw new Error('no room') } }))
  const app = await createApp(t, { engine, tasks: [note] })
  const files: ReadStream[] = []
  app.get('/', async (request, reply) => {
    request.backgroundTasks.add(note, {})
    const file = createReadStream(here)
    files.push(file)
    await once(file, 'open')
    return await reply.send(file)
  })
  for (let count = 0; count < 10; count++) t.equal((await app.inject('/')).statusCode, 503)
  await turnUntil(() => files.every(({ closed }) => closed))
  t.equal(files.length, 10)
})

t.test('a file that is not there is an error of the reply', async (t) => {
  const { app, asked, release } = await createHeldApp(t)
  let file!: ReadStream
  app.get('/', async (request, reply) => {
    request.backgroundTasks.add(note, {})
    file = createReadStream('/is/not/there')
    return await reply.send(file)
  })
  const answer = app.inject('/')
  await asked
  await turnUntil(() => file.closed)
  release()
  const response = await answer
  t.equal(response.statusCode, 500)
  t.match(response.json(), { code: 'ENOENT' })
})

t.test('a body that is read already does no harm to a 503', async (t) => {
  const engine = createDistantEngine(() => ({ add: async () => { throw new Error('no room') } }))
  const app = await createApp(t, { engine, tasks: [note] })
  app.get('/', async (request, reply) => {
    request.backgroundTasks.add(note, {})
    const stream = new ReadableStream()
    stream.getReader()
    return await reply.send(stream)
  })
  t.equal((await app.inject('/')).statusCode, 503)
  await nextTurn()
})

const begun: Array<[title: string, begin: (reply: FastifyReply) => void, end: (client: RawClient) => void]> = [
  ['whose head was sent before', ({ raw }) => { raw.writeHead(200).flushHeaders() }, () => {}],
  ['whose client has gone', () => {}, ({ socket }) => { socket.resetAndDestroy() }]
]
for (const [title, begin, end] of begun) {
  t.test(`a stream that breaks while tasks are stored for a reply ${title} is logged and calls no error handler`, async (t) => {
    const log = createLog()
    const { app, asked, release } = await createHeldApp(t, () => overHttp1.create({ logger: log.logger }))
    const closed = createLatch()
    const stream = new Readable({ read () {} })
    app.setErrorHandler(async (error) => { t.fail(`called with ${String(error)}`) })
    app.get('/', async (request, reply) => {
      request.raw.once('close', closed.resolve)
      request.backgroundTasks.add(note, {})
      begin(reply)
      return await reply.send(stream)
    })
    const client = await RawClient.connect(app)
    client.send('GET', '/')
    await asked
    end(client)
    if (client.socket.destroyed) await closed.promise
    stream.destroy(new Error('broken'))
    await nextTurn()
    release()
    await client.closed()
    await turnUntil(() => log.lines.some(({ err }) => (err as Error | undefined)?.message === 'broken'))
    t.not(log.lines.find(({ err }) => (err as Error | undefined)?.message === 'broken')?.level, 'error')
  })
}
