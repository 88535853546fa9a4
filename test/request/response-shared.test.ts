import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type Task } from '../../index.js'
import { createLatch } from '../support/latch.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1, overHttp2 } from '../support/transports.js'
import { turnUntil } from '../support/turns.js'

/** An app with the plugin, perhaps behind hooks that come before those of the plugin. */
async function createSide (t: Test, create = overHttp1.create, early?: (app: FastifyInstance) => void): Promise<FastifyInstance> {
  const app = create()
  t.teardown(() => app.close())
  early?.(app)
  await app.register(backgroundTasks)
  return app
}

/** What a task says of the response. */
function noteIn (runs: string[], name: string): (task: Task) => void {
  return ({ response }) => { runs.push(`${name} ${response?.outcome} ${response?.statusCode}`) }
}

/** Hands each request of one app, hijacked, to the other. */
function handOver (from: FastifyInstance, to: FastifyInstance, runs: string[]): void {
  from.get('/', (request, reply) => {
    request.backgroundTasks.add({}, noteIn(runs, 'outer'))
    reply.hijack()
    to.routing(request.raw, reply.raw)
  })
}

for (const [title, isReplied] of [['is replied to', true], ['is dropped by its client', false]] as const) {
  t.test(`when a request that one app hands to another, both with the plugin, ${title}, the tasks of both run once`, async (t) => {
    const runs: string[] = []
    const begun = createLatch()
    const [outer, inner] = [await createSide(t), await createSide(t)]
    handOver(outer, inner, runs)
    inner.get('/', async (request, reply) => {
      request.backgroundTasks.add({}, noteIn(runs, 'inner'))
      begun.resolve()
      return isReplied ? await reply.code(201).send('hello') : await new Promise(() => {})
    })
    await inner.ready()
    // The second request on the connection is told like the first.
    const client = await RawClient.connect(outer)
    for (const turn of [1, 2]) {
      runs.length = 0
      client.send('GET', '/')
      await begun.promise
      if (isReplied) await client.receive('hello', turn)
      else client.socket.resetAndDestroy()
      await Promise.all([outer, inner].map(({ backgroundTasks }) => backgroundTasks.idle({ timeout: 3000 })))
      t.same(runs.sort(), isReplied ? ['inner sent 201', 'outer sent 201'] : ['inner aborted 200', 'outer aborted 200'])
      if (!isReplied) break
    }
  })
}

t.test('over HTTP/2, the tasks of both apps run once when the client goes', async (t) => {
  const runs: string[] = []
  const [outer, inner] = [await createSide(t, overHttp2.create), await createSide(t, overHttp2.create)]
  handOver(outer, inner, runs)
  inner.get('/', async (request, reply) => {
    request.backgroundTasks.add({}, noteIn(runs, 'inner'))
    reply.raw.destroy()
    await new Promise(() => {})
  })
  await inner.ready()
  await overHttp2.call(outer, {})
  await Promise.all([outer, inner].map(({ backgroundTasks }) => backgroundTasks.idle({ timeout: 3000 })))
  t.same(runs.sort(), ['inner aborted 200', 'outer aborted 200'])
})

t.test('an app that has hijacked a request before the plugin saw its reply is told what the other app makes of it', async (t) => {
  const runs: string[] = []
  /** What hands a request over in an onRequest hook in front of the plugin's own. */
  const inFront = (name: string, act: (raw: IncomingMessage, response: any) => void) => (app: FastifyInstance): void => {
    // They never call `done`: the plugin's own hooks do not run.
    app.addHook('onResponse', (_request, _reply, _done) => {})
    app.addHook('onRequest', (request, reply, _done) => {
      request.backgroundTasks.add({}, noteIn(runs, name))
      reply.hijack()
      act(request.raw, reply.raw)
    })
  }
  const last = await createSide(t)
  last.get('/', async (request, reply) => {
    request.backgroundTasks.add({}, noteIn(runs, 'last'))
    return await reply.code(202).send('hello')
  })
  await last.ready()
  const middle = await createSide(t, overHttp1.create, inFront('middle', (raw, response) => { last.routing(raw, response) }))
  await middle.ready()
  const first = await createSide(t, overHttp1.create, inFront('first', (raw, response) => { middle.routing(raw, response) }))
  const client = await RawClient.connect(first)
  client.send('GET', '/')
  await client.receive('hello')
  await turnUntil(() => runs.length === 3)
  t.same(runs.sort(), ['first sent 202', 'last sent 202', 'middle sent 202'])
})
