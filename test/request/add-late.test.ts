import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import backgroundTasks, { type ResponseEnd } from '../../index.js'
import { createLatch } from '../support/latch.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1, transports } from '../support/transports.js'

/** Ways to add once more, or for the first time, when the response is over. */
const beginnings: Record<string, (probe: Probe, request: FastifyRequest) => void> = {
  'its first tasks': () => {},
  'more tasks': (probe, request) => { probe.add(request, 'early') }
}

interface LateRow {
  readonly title: string
  readonly response: ResponseEnd
  /** Ends the response and resolves when it is over. */
  readonly end: (reply: FastifyReply) => Promise<unknown>
}

const lateRows: LateRow[] = [
  {
    title: 'after the reply was sent',
    response: { outcome: 'sent', statusCode: 201 },
    end: (reply) => once(reply.code(201).send('hello').raw, 'close')
  },
  {
    title: 'long after the reply was sent',
    response: { outcome: 'sent', statusCode: 404 },
    async end (reply) {
      await once(reply.code(404).send('hello').raw, 'close')
      await reply.server.backgroundTasks.idle()
      for (let turns = 0; turns < 10; turns++) await nextTurn()
    }
  },
  {
    title: 'between the end of the reply and its close',
    response: { outcome: 'sent', statusCode: 200 },
    end: (reply) => once(reply.send('hello').raw, 'finish')
  },
  {
    title: 'after the response was destroyed',
    response: { outcome: 'aborted', statusCode: 200 },
    async end (reply) {
      const closed = once(reply.raw, 'close')
      reply.hijack().raw.destroy()
      await closed
    }
  }
]

for (const transport of transports) {
  for (const { title, response, end } of lateRows) {
    for (const [what, begin] of Object.entries(beginnings)) {
      t.test(`over ${transport.name}, a handler that adds ${what} ${title} has them run`, async (t) => {
        const probe = new Probe()
        const done = createLatch()
        const app = transport.create()
        t.teardown(() => app.close())
        await app.register(backgroundTasks)
        app.get('/', (request, reply) => {
          probe.watch(request, reply)
          begin(probe, request)
          end(reply).then(() => {
            probe.add(request, 'late')
            done.resolve()
          })
        })
        await transport.call(app, {})
        await done.promise
        await probe.settled(app)
        await app.close()

        const labels = what === 'more tasks' ? ['early', 'late'] : ['late']
        const expected = labels.map((label) => expectedRuns(response, label) as { runs: object[], states: string[] })
        t.same(actualRuns(probe), {
          runs: expected.flatMap(({ runs }) => runs),
          states: expected.flatMap(({ states }) => states)
        })
      })
    }
  }

  t.test(`over ${transport.name}, a handler that goes on after its handlerTimeout has its tasks run`, async (t) => {
    const probe = new Probe()
    const done = createLatch()
    const app = transport.create({ handlerTimeout: 20 })
    t.teardown(() => app.close())
    await app.register(backgroundTasks)
    app.get('/', async (request, reply) => {
      await once(reply.raw, 'close')
      probe.add(request)
      done.resolve()
    })
    t.match(await transport.call(app, {}), { status: 503 })
    await done.promise
    await probe.settled(app)
    t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: 503 }))
  })

  for (const position of ['earlier', 'later']) {
    t.test(`over ${transport.name}, an onResponse hook registered ${position} may add the first tasks of its request`, async (t) => {
      const probe = new Probe()
      const app = transport.create()
      t.teardown(() => app.close())
      const addHook = (): void => {
        app.addHook('onResponse', async (request) => {
          await nextTurn()
          probe.add(request)
        })
      }
      if (position === 'earlier') addHook()
      await app.register(backgroundTasks)
      if (position === 'later') addHook()
      app.get('/', async () => 'hello')
      t.match(await transport.call(app, {}), { status: 200 })
      await probe.settled(app)
      t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: 200 }))
    })
  }
}

for (const [what, begin] of Object.entries(beginnings)) {
  t.test(`a handler that adds ${what} after its client has gone, and hooks that do, have them run`, async (t) => {
    const probe = new Probe()
    const begun = createLatch()
    const app = overHttp1.create()
    t.teardown(() => app.close())
    await app.register(backgroundTasks)
    app.addHook('onError', async (request) => { probe.add(request, 'onError') })
    app.addHook('onSend', async (request) => { probe.add(request, 'onSend') })
    const sent = createLatch()
    app.addHook('onSend', async () => { sent.resolve() })
    app.post('/', async (request, reply) => {
      probe.watch(request, reply)
      begin(probe, request)
      begun.resolve()
      await once(request.raw.socket, 'close')
      probe.add(request, 'handler')
      throw new Error('no')
    })
    const client = await RawClient.connect(app)
    client.send('POST', '/', { 'content-length': 2, 'content-type': 'application/json' }, '{}')
    await begun.promise
    client.socket.destroy()
    await sent.promise
    await probe.settled(app)
    await app.close()

    const labels = [...(what === 'more tasks' ? ['early'] : []), 'handler', 'onError', 'onSend']
    t.same(probe.runs.map(({ label }) => label), labels, 'of each three only the one that always runs')
    t.ok(probe.runs.every(({ inContext, afterResponse }) => inContext && afterResponse))
    t.same(new Set(probe.runs.map(({ response }) => response?.outcome)), new Set(['aborted']))
  })
}

t.test('an onRequestAbort hook may add tasks', async (t) => {
  const probe = new Probe()
  const begun = createLatch()
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  app.addHook('onRequestAbort', async (request) => { probe.add(request) })
  app.get('/', () => {
    begun.resolve()
    return new Promise(() => {})
  })
  const client = await RawClient.connect(app)
  client.send('GET', '/')
  await begun.promise
  client.socket.destroy()
  await probe.settled(app)
  await app.close()
  t.same(actualRuns(probe), expectedRuns({ outcome: 'aborted', statusCode: 200 }))
})

t.test('an onTimeout hook may add tasks', async (t) => {
  const probe = new Probe()
  const app = overHttp1.create({ connectionTimeout: 50 })
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  app.addHook('onTimeout', async (request, reply) => {
    probe.watch(request, reply)
    probe.add(request)
  })
  app.get('/', () => new Promise(() => {}))
  const client = await RawClient.connect(app)
  client.send('GET', '/')
  await client.closed()
  await probe.settled(app)
  await app.close()
  t.same(actualRuns(probe), expectedRuns({ outcome: 'aborted', statusCode: 200 }))
})
