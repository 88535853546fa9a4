import fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { noteClose, slowTask } from '../support/close-notes.js'
import { createLatch } from '../support/latch.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1 } from '../support/transports.js'
import { nextTurn, turnUntil } from '../support/turns.js'

t.test('close waits for running, waiting and nested tasks before any other onClose hook runs', async (t) => {
  const events: string[] = []
  const app = fastify()
  app.register(fp(noteClose(events, 'earlier')))
  app.register(noteClose(events, 'earlier child'))
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'later')))
  app.register(async (child) => {
    await noteClose(events, 'child')(child)
    child.register(noteClose(events, 'grandchild'))
    child.get('/', async (request) => {
      request.backgroundTasks.add(slowTask(events, 'running'))
      request.backgroundTasks.add(slowTask(events, 'waiting'))
      request.backgroundTasks.add(() => {
        request.backgroundTasks.add(() => {
          request.backgroundTasks.add(slowTask(events, 'nested twice'))
        })
        app.backgroundTasks.add(slowTask(events, 'nested app'))
      })
      request.backgroundTasks.waitUntil(slowTask(events, 'promise')())
      return 'hello'
    })
  })
  app.addHook('onClose', async () => { events.push('app closed') })
  await app.inject('/')
  await app.close()

  const tasks = ['running', 'waiting', 'nested twice', 'nested app', 'promise']
  t.same(new Set(events.slice(0, tasks.length)), new Set(tasks))
  t.same(new Set(events.slice(tasks.length)),
    new Set(['earlier closed', 'earlier child closed', 'later closed', 'child closed', 'grandchild closed', 'app closed']))
  t.equal(events.length, tasks.length + 6)
})

t.test('a plugin of a child context has its tasks waited for before any onClose hook of the app', async (t) => {
  const events: string[] = []
  const app = fastify()
  await app.register(fp(noteClose(events, 'earlier')))
  app.register(async (child) => {
    await child.register(backgroundTasks)
    child.register(fp(noteClose(events, 'sibling')))
    child.get('/', async (request) => {
      request.backgroundTasks.add(slowTask(events, 'task'))
      return 'hello'
    })
  })
  app.register(noteClose(events, 'later'))
  await app.inject('/')
  await app.close()
  t.equal(events[0], 'task')
  t.equal(events.length, 4)
})

const fellows: Record<string, (app: FastifyInstance) => void> = {
  'whose preClose hook rejects': (app) => { app.addHook('preClose', async () => { throw new Error('no') }) },
  'whose preClose hook throws': (app) => { app.addHook('preClose', (_done): void => { throw new Error('no') }) },
  'whose onClose hook rejects': (app) => { app.addHook('onClose', async () => { throw new Error('no') }) },
  'whose preClose hook takes its time': (app) => {
    app.addHook('preClose', async () => { for (let turns = 0; turns < 10; turns++) await nextTurn() })
  }
}

for (const [title, addTo] of Object.entries(fellows)) {
  for (const position of ['earlier', 'later']) {
    t.test(`tasks end before other onClose hooks, beside a plugin registered ${position} ${title}`, async (t) => {
      const events: string[] = []
      const app = fastify()
      const fellow = fp(async (app: FastifyInstance) => { addTo(app) })
      if (position === 'earlier') await app.register(fellow)
      await app.register(fp(noteClose(events, 'database')))
      await app.register(backgroundTasks)
      await app.register(fp(noteClose(events, 'cache')))
      if (position === 'later') await app.register(fellow)
      app.get('/', async (request) => {
        request.backgroundTasks.add(slowTask(events, 'task'))
        return 'hello'
      })
      await app.inject('/')
      // Whether Fastify passes a hook's error on is not at issue here.
      await app.close().catch(() => {})
      t.same(events, ['task', 'cache closed', 'database closed'])
    })
  }
}

t.test('close waits for an injected request that has added a task', async (t) => {
  const events: string[] = []
  const released = createLatch()
  const begun = createLatch()
  const app = fastify()
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'database')))
  app.get('/', async (request) => {
    request.backgroundTasks.add(slowTask(events, 'early'))
    begun.resolve()
    await released.promise
    request.backgroundTasks.add(slowTask(events, 'late'))
    return 'hello'
  })
  const answer = app.inject('/')
  await begun.promise
  const closed = app.close()
  for (let turns = 0; turns < 20; turns++) await nextTurn()
  t.same(events, [])
  released.resolve()
  await closed
  t.equal((await answer).statusCode, 200)
  t.same(events, ['early', 'late', 'database closed'])
})

t.test('close waits for a handler that goes on after its client has gone, once it has added a task', async (t) => {
  const events: string[] = []
  const gone = createLatch()
  const app = overHttp1.create()
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'database')))
  app.get('/', async (request) => {
    request.raw.socket.once('close', () => { gone.resolve() })
    const work = (async () => {
      await gone.promise
      for (let turns = 0; turns < 20; turns++) await nextTurn()
      request.backgroundTasks.add(slowTask(events, 'late'))
    })()
    request.backgroundTasks.waitUntil(work)
    client.socket.destroy()
    await work
    return 'hello'
  })
  const client = await RawClient.connect(app)
  client.send('GET', '/')
  await gone.promise
  await app.close()
  t.same(events, ['late', 'database closed'])
})

t.test('close may be called twice at once', async (t) => {
  const events: string[] = []
  const app = fastify()
  await app.register(backgroundTasks)
  await app.ready()
  app.backgroundTasks.add(slowTask(events, 'task'))
  await Promise.all([app.close(), app.close()])
  await app.close()
  t.same(events, ['task'])
})

t.test('tasks that an onClose hook of a later plugin adds are waited for', async (t) => {
  const events: string[] = []
  const app = fastify()
  await app.register(fp(noteClose(events, 'database')))
  await app.register(backgroundTasks)
  app.addHook('onClose', async () => { app.backgroundTasks.add(slowTask(events, 'last')) })
  await app.ready()
  await app.close()
  t.same(events, ['last', 'database closed'])
})

for (const place of ['handler', 'task', 'onResponse hook']) {
  t.test(`a ${place} may close the app`, async (t) => {
    const events: string[] = []
    const closed = createLatch<unknown>()
    const app = overHttp1.create()
    await app.register(backgroundTasks)
    await app.register(fp(noteClose(events, 'database')))
    const close = (): void => { closed.resolve(app.close()) }
    if (place === 'onResponse hook') app.addHook('onResponse', async () => { close() })
    app.get('/', async (request) => {
      if (place === 'task') request.backgroundTasks.add(close)
      request.backgroundTasks.add(slowTask(events, 'task'))
      if (place === 'handler') close()
      return 'hello'
    })
    const client = await RawClient.connect(app)
    client.send('GET', '/')
    await closed.promise
    t.same(events, ['task', 'database closed'])
  })
}

t.test('two apps in one process close independently', async (t) => {
  const released = createLatch()
  const apps = await Promise.all([1, 2].map(async () => {
    const app = fastify()
    await app.register(backgroundTasks)
    await app.ready()
    return app
  })) as [FastifyInstance, FastifyInstance]
  apps[0].backgroundTasks.add(() => released.promise)
  await apps[1].close()
  await nextTurn()
  t.match(apps[0].backgroundTasks.stats(), { active: 1 })
  released.resolve()
  await apps[0].close()
})

t.test('the event loop turns while close waits', async (t) => {
  const app = fastify()
  await app.register(backgroundTasks)
  await app.ready()
  let turns = 0
  app.backgroundTasks.add(async () => { await turnUntil(() => ++turns > 100) })
  await app.close()
  t.ok(turns > 100)
})
