import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import backgroundTasks, { defineTask, type NamedTask, type RetryOptions, type SharedTaskOptions, type Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { createDistantEngine, createEngine, namesOf } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { nextTurn } from '../support/turns.js'

function named (name: string, run: (payload: any, task: Task) => unknown = () => {}): NamedTask {
  return defineTask({ name, payload: {}, handler: run })
}

t.test('an unregistered task runs after the response, in its place among the functions of its request', async (t) => {
  const engine = createEngine()
  const app = await createApp(t, { engine })
  const ran: string[] = []
  const note = named('note', async (text: string, task) => {
    await nextTurn()
    ran.push(`${text} ${task.response?.statusCode}`)
  })
  app.get('/', async (request) => {
    request.backgroundTasks.add(async () => {
      await nextTurn()
      ran.push('first')
    })
    request.backgroundTasks.add(note, 'second')
    request.backgroundTasks.add(() => { ran.push('third') })
    return request.backgroundTasks.size
  })
  const response = await app.inject('/')
  t.equal(response.body, '3')
  t.same(ran, [])
  await app.backgroundTasks.idle()
  t.same(ran, ['first', 'second 200', 'third'])
  t.same(engine.batches, [])
})

t.test('a registered task may start before the response is over, and in no order with functions', async (t) => {
  const ran: string[] = []
  const started = createLatch()
  const note = named('note', () => {
    ran.push('note')
    started.resolve()
  })
  const app = await createApp(t, { tasks: [note] })
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => { ran.push('function') })
    request.backgroundTasks.add(note, {})
    await request.backgroundTasks.flush()
    await started.promise
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(ran, ['note', 'function'])
})

t.test('an unregistered task obeys when, timeout and retry of its definition', async (t) => {
  const app = await createApp(t)
  const attempts: number[] = []
  const flaky = defineTask({
    name: 'flaky',
    payload: {},
    when: 'error',
    retry: { retries: 1, delay: 0 },
    timeout: 5000,
    handler (payload, task) {
      attempts.push(task.attempt)
      throw new Error('no luck')
    }
  })
  const tasks: Task[] = []
  app.get('/:status', async (request, reply) => {
    tasks.push(request.backgroundTasks.add(flaky, {}))
    return reply.code(Number((request.params as { status: string }).status)).send()
  })
  await app.inject('/200')
  await app.inject('/400')
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ state }) => state), ['skipped', 'failed'])
  t.same(attempts, [1, 2])
})

t.test('delay, key and priority are refused for a task that is not registered', async (t) => {
  const app = await createApp(t)
  const work = named('work')
  for (const [options, message] of [
    [{ delay: 5 }, 'option "delay" must be for a registered task, received 5'],
    [{ delay: 0 }, 'option "delay" must be for a registered task, received 0'],
    [{ key: 'k' }, 'option "key" must be for a registered task, received "k"'],
    [{ priority: 1 }, 'option "priority" must be for a registered task, received 1']
  ] as const) {
    t.throws(() => app.backgroundTasks.add(work, {}, options), { code: 'FST_BGT_INVALID_OPTIONS', message })
  }
  app.backgroundTasks.add(work, {}, { timeout: 5, retry: 1, when: 'success' })
  await app.backgroundTasks.idle()
})

t.test('an unregistered task that has the name of a registered one runs its own handler', async (t) => {
  const engine = createEngine()
  const ran: string[] = []
  const app = await createApp(t, { engine, tasks: [named('work', () => { ran.push('registered') })] })
  await app.ready()
  app.backgroundTasks.add(named('work', () => { ran.push('own') }), {})
  await app.backgroundTasks.idle()
  t.same(ran, ['own'])
  t.same(engine.batches, [])
})

t.test('a definition can be registered with many apps', async (t) => {
  const servers: FastifyInstance[] = []
  const work = named('work', (payload, task) => { servers.push(task.server) })
  const apps = [await createApp(t, { tasks: [work] }), await createApp(t, { tasks: [work] })]
  for (const app of apps) {
    await app.ready()
    app.backgroundTasks.add(work, {})
    await app.backgroundTasks.idle()
  }
  t.equal(servers[0], apps[0])
  t.equal(servers[1], apps[1])
})

t.test('two tasks of one name cannot be registered', async (t) => {
  const expected = { code: 'FST_BGT_DUPLICATE_TASK', statusCode: 500, message: 'a task named "work" is already registered' }
  const [one, two] = [named('work'), named('work')]
  await t.rejects(Promise.resolve(Fastify().register(backgroundTasks, { tasks: [one, two] })), expected)
  await t.rejects(Promise.resolve(Fastify().register(backgroundTasks, { tasks: [one, one] })), expected)
  const app = await createApp(t, { tasks: [one] })
  t.throws(() => { app.backgroundTasks.register(one) }, expected)
  t.throws(() => { app.backgroundTasks.register(two) }, expected)
  t.throws(() => { app.backgroundTasks.register(named('other'), named('other')) }, { code: 'FST_BGT_DUPLICATE_TASK' })
})

t.test('only what defineTask returns can be registered', async (t) => {
  const app = await createApp(t)
  for (const [wrong, received] of [
    [undefined, 'undefined'], [null, 'null'], ['work', '"work"'], [() => {}, 'function (anonymous)'],
    [{ name: 'work', payload: {}, handler () {} }, 'an object of type Object'], [[], 'an array'], [[named('work')], 'an array']
  ] as const) {
    const expected = { code: 'FST_BGT_INVALID_TASK', message: `only what defineTask returns can be registered, received ${received}` }
    t.throws(() => { app.backgroundTasks.register(wrong as never) }, expected)
    await t.rejects(Promise.resolve(Fastify().register(backgroundTasks, { tasks: [wrong as never] })), expected)
  }
})

t.test('tasks that is no array, an engine that is none and wrong numbers are refused at register', async (t) => {
  for (const [options, message] of [
    [{ tasks: named('work') }, 'option "tasks" must be an array, received an object of type Object'],
    [{ tasks: null }, 'option "tasks" must be an array, received null'],
    [{ engine: {} }, 'option "engine" must be an engine, received an object of type Object'],
    [{ engine: 'memory' }, 'option "engine" must be an engine, received "memory"'],
    [{ engine: { ...createEngine(), pause: undefined } }, 'option "engine" must be an engine, received an object of type Object'],
    [{ worker: 'yes' }, 'option "worker" must be true or false, received "yes"'],
    [{ storeTimeout: 0 }, 'option "storeTimeout" must be an integer from 1 to 2147483647, received 0'],
    [{ storeTimeout: 1.5 }, 'option "storeTimeout" must be an integer from 1 to 2147483647, received 1.5']
  ] as const) {
    await t.rejects(Promise.resolve(Fastify().register(backgroundTasks, options as never)), { code: 'FST_BGT_INVALID_OPTIONS', message })
  }
})

t.test('tasks are registered by the option, later, and several at once', async (t) => {
  const engine = createEngine()
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => named(name)) as [NamedTask, NamedTask, NamedTask, NamedTask]
  const app = await createApp(t, { engine, tasks: [a] })
  app.backgroundTasks.register(b)
  app.backgroundTasks.register()
  app.backgroundTasks.register(c, d)
  app.get('/', async (request) => {
    for (const task of [a, b, c, d]) request.backgroundTasks.add(task, {})
    return 'ok'
  })
  await app.inject('/')
  t.same(namesOf(engine), [['a', 'b', 'c', 'd']])
  await app.backgroundTasks.idle()
})

/** Notes when the reply leaves and when tasks are stored, elsewhere. */
function createJournal (): { events: string[], engine: ReturnType<typeof createEngine> } {
  const events: string[] = []
  const engine = createDistantEngine((inner) => ({
    async add (tasks) {
      await nextTurn()
      events.push('stored')
      return await inner.add(tasks)
    }
  }))
  return { events, engine }
}

for (const [title, url] of [
  ['of the app, added before', '/app'],
  ['of a plugin registered before', '/before/x'],
  ['of a plugin registered after', '/after/x'],
  ['that does not exist', '/nowhere']
] as const) {
  t.test(`a task registered in a child plugin is stored before the reply of a route ${title} leaves`, async (t) => {
    const { events, engine } = createJournal()
    const app = await createApp(t, { engine })
    const work = named('work')
    app.addHook('onRequest', async (request) => { request.backgroundTasks.add(work, {}) })
    app.addHook('onResponse', async () => { events.push('replied') })
    app.get('/app', async () => 'ok')
    await app.register(async (child) => { child.get('/x', async () => 'ok') }, { prefix: '/before' })
    await app.register(async (child) => { child.backgroundTasks.register(work) })
    await app.register(async (child) => { child.get('/x', async () => 'ok') }, { prefix: '/after' })
    await app.inject(url)
    t.same(events, ['stored', 'replied'])
    await app.backgroundTasks.idle()
  })
}

t.test('when one of several tasks is refused, none of them is registered', async (t) => {
  const { events, engine } = createJournal()
  const app = await createApp(t, { engine })
  const work = named('work')
  t.throws(() => { app.backgroundTasks.register(work, {} as NamedTask) }, { code: 'FST_BGT_INVALID_TASK' })
  app.backgroundTasks.register(work)
  app.addHook('onResponse', async () => { events.push('replied') })
  app.get('/', async (request) => { request.backgroundTasks.add(work, {}) })
  await app.inject('/')
  t.same(events, ['stored', 'replied'])
  await app.backgroundTasks.idle()
})

t.test('register is refused once the app is ready, every time', async (t) => {
  const app = await createApp(t)
  await app.ready()
  const work = named('work')
  t.throws(() => { app.backgroundTasks.register(work) })
  t.throws(() => { app.backgroundTasks.register(work) }, { code: /^FST_ERR_INSTANCE_ALREADY_/ })
  t.throws(() => { app.backgroundTasks.register(named('other')) }, { code: /^FST_ERR_INSTANCE_ALREADY_/ })
})

t.test('the onSend hook is there only once a task is registered', async (t) => {
  const added: string[] = []
  const app = Fastify()
  t.teardown(() => app.close())
  const { addHook } = app
  app.addHook = function (this: FastifyInstance, name: never, hook: never) {
    added.push(name)
    return addHook.call(this, name, hook)
  } as typeof addHook
  await app.register(backgroundTasks)
  t.notOk(added.includes('onSend'))
  app.backgroundTasks.register()
  t.notOk(added.includes('onSend'))
  app.backgroundTasks.register(named('a'))
  app.backgroundTasks.register(named('b'))
  t.equal(added.filter((name) => name === 'onSend').length, 1)
})

/** What a stored task was stored with. */
const layers: Array<[title: string, given: { plugin?: object, route?: object, named?: SharedTaskOptions, call?: SharedTaskOptions }, timeout: number | undefined]> = [
  ['nothing', {}, undefined],
  ['the plugin', { plugin: { timeout: 1 } }, 1],
  ['the route', { plugin: { timeout: 1 }, route: { timeout: 2 } }, 2],
  ['the named task', { plugin: { timeout: 1 }, route: { timeout: 2 }, named: { timeout: 3 } }, 3],
  ['the call', { plugin: { timeout: 1 }, route: { timeout: 2 }, named: { timeout: 3 }, call: { timeout: 4 } }, 4],
  ['the call, and nothing between it and the plugin', { plugin: { timeout: 1 }, call: { timeout: 4 } }, 4],
  ['the named task, where the call says undefined', { route: { timeout: 2 }, named: { timeout: 3 }, call: { timeout: undefined } as object }, 3]
]

for (const [title, given, timeout] of layers) {
  t.test(`the timeout of a registered task is that of ${title}`, async (t) => {
    const engine = createDistantEngine()
    const work = defineTask({ name: 'work', payload: {}, handler () {}, ...given.named })
    const app = await createApp(t, { engine, tasks: [work], ...given.plugin })
    app.get('/', { config: { backgroundTasks: given.route ?? {} } }, async (request) => {
      request.backgroundTasks.add(work, {}, given.call)
      return 'ok'
    })
    await app.inject('/')
    t.equal(engine.batches[0]?.[0]?.timeout, timeout)
    await app.backgroundTasks.idle()
  })
}

t.test('the nearest retry counts as a whole, and is stored with its defaults', async (t) => {
  const engine = createDistantEngine()
  const work = defineTask({ name: 'work', payload: {}, retry: { retries: 5, delay: 7 }, handler () {} })
  const app = await createApp(t, { engine, tasks: [work], retry: { retries: 9, factor: 3 } })
  app.get('/', { config: { backgroundTasks: { retry: { retries: 8, jitter: false } } } }, async (request) => {
    request.backgroundTasks.add(work, 1)
    request.backgroundTasks.add(work, 2, { retry: 3 })
    request.backgroundTasks.add(work, 3, { retry: 0 })
    return 'ok'
  })
  await app.inject('/')
  t.strictSame(engine.batches[0]?.map(({ retry }) => retry), [
    { retries: 5, delay: 7, factor: 2, maxDelay: 30_000, jitter: true },
    { retries: 3, delay: 1000, factor: 2, maxDelay: 30_000, jitter: true },
    undefined
  ])
  await app.backgroundTasks.idle()
})

t.test('the nearest when counts', async (t) => {
  const engine = createEngine()
  const [plain, onError] = [named('plain'), defineTask({ name: 'on-error', payload: {}, when: 'error', handler () {} })]
  const app = await createApp(t, { engine, tasks: [plain, onError], when: 'error' })
  app.get('/', { config: { backgroundTasks: { when: 'success' } } }, async (request) => {
    request.backgroundTasks.add(plain, 'route')
    request.backgroundTasks.add(onError, 'named')
    request.backgroundTasks.add(onError, 'call', { when: 'always' })
    return 'ok'
  })
  app.get('/plugin', async (request) => { request.backgroundTasks.add(plain, 'plugin') })
  await app.inject('/')
  await app.inject('/plugin')
  await app.backgroundTasks.idle()
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [['route', 'call']])
  t.match(app.backgroundTasks.stats(), { completed: 2, skipped: 2 })
})

for (const owner of ['definition', 'plugin'] as const) {
  for (const [title, create] of [['here', createEngine], ['as if elsewhere', createDistantEngine]] as const) {
    t.test(`retryIf of the ${owner} decides on retries of a stored task that runs ${title}`, async (t) => {
      const asked: unknown[] = []
      const retry: RetryOptions = {
        retries: 5,
        delay: 0,
        retryIf (error, task) {
          asked.push([(error as Error).message, task.attempt, task.name])
          return task.attempt < 2
        }
      }
      const work = defineTask({
        name: 'work',
        payload: Type.Integer(),
        ...(owner === 'definition' && { retry }),
        handler () { throw new Error('no luck') }
      })
      const app = await createApp(t, { engine: create(), tasks: [work], ...(owner === 'plugin' && { retry }) })
      await app.ready()
      const { id } = app.backgroundTasks.add(work, 1)
      await app.backgroundTasks.idle()
      while ((await app.backgroundTasks.get(id))?.state !== 'failed') await nextTurn()
      t.same(asked, [['no luck', 1, 'work'], ['no luck', 2, 'work']])
    })
  }
}

for (const retry of [undefined, 3, { retries: 3 }, { retries: 3, retryIf: () => false }]) {
  t.test(`retryIf in the call of a registered task is refused, for it could not be stored, whatever it is defined with: ${JSON.stringify(retry)}`, async (t) => {
    const work = defineTask({ name: 'work', payload: {}, ...(retry !== undefined && { retry }), handler () {} })
    const app = await createApp(t, { tasks: [work] })
    t.throws(() => app.backgroundTasks.add(work, {}, { retry: { retries: 1, retryIf: () => true } }), {
      code: 'FST_BGT_INVALID_OPTIONS',
      message: 'option "retry.retryIf" of a registered task must be given to defineTask or to the plugin, received a function'
    })
  })
}

t.test("retryIf of a route's config is refused for a registered task, for no worker could know it", async (t) => {
  const work = named('work')
  const app = await createApp(t, { tasks: [work] })
  const retry = { retries: 1, retryIf: () => true }
  app.get('/', { config: { backgroundTasks: { retry } } }, async (request) => {
    request.backgroundTasks.add(() => {})
    request.backgroundTasks.add(work, {})
  })
  t.match((await app.inject('/')).json(), { statusCode: 500, code: 'FST_BGT_INVALID_OPTIONS', message: /retryIf/ })
})
