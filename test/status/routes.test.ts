import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance, type HTTPMethods, type onRequestHookHandler } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions, type Task, type TaskSnapshot, defineTask } from '../../index.js'
import { type TaskRoutesOptions, taskRoutes } from '../../lib/routes.js'
import defaultExport from '../../lib/routes.js'
import { createApp } from '../support/app.js'
import { createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { turnUntil } from '../support/turns.js'

const unknown = '7f7a8a10-18d0-4cff-8e82-2bf128d80538'
const notFound = { statusCode: 404, error: 'Not Found', message: 'there is no such task' }

async function createRoutes (t: Test, options: TaskRoutesOptions = {}, pluginOptions: BackgroundTasksOptions = {}): Promise<FastifyInstance> {
  const app = await createApp(t, pluginOptions)
  await app.register(taskRoutes, { prefix: '/tasks', ...options })
  await app.ready()
  return app
}

t.test('taskRoutes is the default export too', async (t) => {
  t.equal(defaultExport, taskRoutes)
})

t.test('GET replies 200 and the snapshot that get gives', async (t) => {
  const release = createLatch()
  const resize = defineTask({
    name: 'resize',
    payload: {},
    result: Type.Object({ bytes: Type.Integer() }),
    async handler (payload, task) {
      task.progress({ step: 1, of: [2] })
      await release.promise
      return { bytes: 7, secret: 'hidden' }
    }
  })
  const app = await createRoutes(t, {}, { tasks: [resize] })
  const task = app.backgroundTasks.add(resize, { secret: 'payload' })
  const url = `/tasks/${task.id}`
  const waiting = await app.inject(url)
  t.equal(waiting.statusCode, 200)
  t.match(waiting.headers['content-type'], 'application/json')
  t.strictSame(waiting.json(), { id: task.id, name: 'resize', state: 'waiting', attempt: 1, createdAt: task.toJSON().createdAt })
  await turnUntil(() => task.state === 'active')
  t.match((await app.inject(url)).json(), { state: 'active', progress: { step: 1, of: [2] } })
  release.resolve()
  await app.backgroundTasks.idle()
  const { json } = await app.inject(url)
  t.strictSame(json(), task.toJSON())
  t.strictSame(json().result, { bytes: 7 })
  t.notMatch(JSON.stringify(json()), /hidden|payload/)
})

t.test('GET finds a task that is a function, once its id has been read', async (t) => {
  const app = await createRoutes(t)
  const task = app.backgroundTasks.add(function sendMail () { return 'secret' })
  const { id } = task
  await app.backgroundTasks.idle()
  const snapshot = (await app.inject(`/tasks/${id}`)).json()
  t.match(snapshot, { id, name: 'sendMail', state: 'completed' })
  t.notOk('result' in snapshot)
})

t.test('GET shows name, code and message of an error, and nothing else of it', async (t) => {
  const app = await createRoutes(t)
  const cases: Array<[thrown: unknown, expected: object]> = [
    [Object.assign(new TypeError('no luck'), { code: 'E_LUCK', sql: 'secret', cause: new Error('secret') }),
      { name: 'TypeError', code: 'E_LUCK', message: 'no luck' }],
    [Object.assign(new Error('no luck'), { code: 42 }), { name: 'Error', message: 'no luck' }],
    ['a string', { name: 'Error', message: 'a string' }],
    [undefined, { name: 'Error', message: 'undefined' }],
    [{ secret: true }, { name: 'Error', message: 'an object of type Object' }],
    [Object.assign(new Error('no luck'), { name: undefined }), { message: 'no luck' }],
    [Object.assign(new Error('no luck'), { message: { secret: true } }), { name: 'Error' }]
  ]
  for (const [thrown, expected] of cases) {
    const { id } = app.backgroundTasks.add(() => { throw thrown })
    await app.backgroundTasks.idle()
    const response = await app.inject(`/tasks/${id}`)
    t.equal(response.statusCode, 200)
    t.match(response.json(), { state: 'failed', error: expected })
    t.notMatch(response.body, /secret|stack|routes\.test/)
  }
})

t.test('GET replies 404 to an id that nobody has, and to one that history has let go', async (t) => {
  const app = await createRoutes(t, {}, { history: 1 })
  const ids: string[] = []
  for (let index = 0; index < 2; index++) {
    ids.push(app.backgroundTasks.add(() => {}).id)
    await app.backgroundTasks.idle()
  }
  for (const id of [unknown, ids[0]]) {
    const response = await app.inject(`/tasks/${id}`)
    t.equal(response.statusCode, 404)
    t.strictSame(response.json(), notFound)
  }
  t.equal((await app.inject(`/tasks/${ids[1]}`)).statusCode, 200)
})

t.test('ids of any shape get a clear answer', async (t) => {
  const app = await createRoutes(t, { cancel: true })
  const task = app.backgroundTasks.waitUntil(new Promise(() => {}))
  const encoded = [...task.id].map((char) => `%${char.charCodeAt(0).toString(16)}`).join('')
  t.match((await app.inject(`/tasks/${encoded.slice(0, 90)}${task.id.slice(30)}`)).json(), { id: task.id })
  const shapes: Array<[id: string, status: number]> = [
    ['x', 404], ['0', 404], ['__proto__', 404], ['constructor', 404], ['%00', 404], ['%0a', 404], ['%20', 404], ['..%2f..', 404],
    ['%E2%98%83', 404], ['%F0%9F%91%8B', 404], [`${task.id}x`, 404], [task.id.toUpperCase(), 404], [`%20${task.id}`, 404],
    ['x'.repeat(100), 404], ['x'.repeat(101), 414], ['x'.repeat(10_000), 414], ['%78'.repeat(100), 404], ['', 404],
    ['%', 400], ['%zz', 400], ['%E2%98', 400], ['%C0%80', 400]
  ]
  for (const method of ['GET', 'DELETE'] as const) {
    for (const [id, status] of shapes) {
      const response = await app.inject({ method, url: `/tasks/${id}` })
      t.equal(response.statusCode, status, `${method} ${id.slice(0, 40)}`)
      t.ok(response.json().message.length > 0)
    }
  }
  for (const [id, status] of shapes) {
    if (id !== '') t.equal((await app.inject(`/tasks/${id}/events`)).statusCode, status, `events of ${id.slice(0, 40)}`)
  }
  task.cancel()
})

t.test('other methods are not found', async (t) => {
  const app = await createRoutes(t)
  const { id } = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as HTTPMethods[]) {
    t.equal((await app.inject({ method, url: `/tasks/${id}` } as object)).statusCode, 404, method)
    t.equal((await app.inject({ method, url: `/tasks/${id}/events` } as object)).statusCode, 404, method)
  }
  t.equal((await app.inject('/tasks')).statusCode, 404)
  t.equal((await app.inject('/tasks/')).statusCode, 404)
})

t.test('HEAD replies as GET does, without a body', async (t) => {
  const app = await createRoutes(t)
  const { id } = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  const found = await app.inject({ method: 'HEAD', url: `/tasks/${id}` })
  t.equal(found.statusCode, 200)
  t.equal(found.body, '')
  t.equal((await app.inject({ method: 'HEAD', url: `/tasks/${unknown}` })).statusCode, 404)
  t.equal((await app.inject({ method: 'HEAD', url: `/tasks/${id}/events` })).statusCode, 404, 'a stream has no HEAD')
})

// DELETE

for (const state of ['waiting', 'delayed', 'active'] as const) {
  t.test(`DELETE cancels a task that is ${state}, and replies 200 and its snapshot`, async (t) => {
    const work = defineTask({
      name: 'work',
      payload: {},
      handler: (payload, { signal }) => new Promise((resolve) => { signal.addEventListener('abort', resolve) })
    })
    const app = await createRoutes(t, { cancel: true }, { tasks: [work], concurrency: 1 })
    const first = app.backgroundTasks.add(work, {})
    await turnUntil(() => first.state === 'active')
    const task = state === 'active' ? first : app.backgroundTasks.add(work, {}, state === 'delayed' ? { delay: 60_000 } : {})
    await Promise.resolve()
    await turnUntil(() => task.state === state)
    const url = `/tasks/${task.id}`
    const response = await app.inject({ method: 'DELETE', url })
    t.equal(response.statusCode, 200)
    t.match(response.json(), { id: task.id, state: 'cancelled', error: { code: 'FST_BGT_CANCELLED', message: 'task "work" was cancelled' } })
    t.strictSame((await app.inject(url)).json(), response.json())
    const again = await app.inject({ method: 'DELETE', url })
    t.equal(again.statusCode, 409)
    t.strictSame(again.json(), { statusCode: 409, error: 'Conflict', message: 'the task has already ended' })
    first.cancel()
    await app.backgroundTasks.idle()
  })
}

t.test('DELETE replies 404 to an unknown id, and 409 to a task that has ended', async (t) => {
  const app = await createRoutes(t, { cancel: true })
  const missing = await app.inject({ method: 'DELETE', url: `/tasks/${unknown}` })
  t.equal(missing.statusCode, 404)
  t.strictSame(missing.json(), notFound)
  for (const end of [() => {}, () => { throw new Error('no') }]) {
    const { id } = app.backgroundTasks.add(end)
    await app.backgroundTasks.idle()
    t.equal((await app.inject({ method: 'DELETE', url: `/tasks/${id}` })).statusCode, 409)
  }
})

t.test('of two clients that cancel at once, one is told that it was too late', async (t) => {
  const app = await createRoutes(t, { cancel: true })
  const task = app.backgroundTasks.waitUntil(new Promise(() => {}))
  const request = { method: 'DELETE', url: `/tasks/${task.id}` } as const
  const replies = await Promise.all([app.inject(request), app.inject(request)])
  t.same(replies.map(({ statusCode }) => statusCode).sort(), [200, 409])
})

t.test('DELETE replies 200 also where history keeps nothing of the task', async (t) => {
  const app = await createRoutes(t, { cancel: true }, { history: 0 })
  const task = app.backgroundTasks.waitUntil(new Promise(() => {}))
  const response = await app.inject({ method: 'DELETE', url: `/tasks/${task.id}` })
  t.equal(response.statusCode, 200)
  t.equal(response.json().id, task.id)
  t.equal(task.state, 'cancelled')
})

t.test('DELETE replies 200 also where the engine keeps nothing of what it has cancelled', async (t) => {
  const work = defineTask({ name: 'work', payload: {}, handler () {} })
  let snapshot: TaskSnapshot | undefined = { id: unknown, name: 'work', state: 'waiting', attempt: 1, createdAt: new Date().toISOString() }
  const engine = createEngine(() => ({
    get: async () => snapshot,
    async cancel () {
      snapshot = undefined
      return true
    }
  }))
  const app = await createRoutes(t, { cancel: true }, { tasks: [work], engine })
  const response = await app.inject({ method: 'DELETE', url: `/tasks/${unknown}` })
  t.equal(response.statusCode, 200)
  t.match(response.json(), { id: unknown, state: 'cancelled' })
})

for (const history of [0, 1]) {
  for (const state of ['waiting', 'delayed', 'active'] as const) {
    t.test(`DELETE of a task that is ${state} replies its final snapshot with history ${history} too`, async (t) => {
      const work = defineTask({ name: 'work', payload: {}, handler: () => new Promise(() => {}) })
      const app = await createRoutes(t, { cancel: true }, { tasks: [work], concurrency: 1, history })
      const first = app.backgroundTasks.add(work, {})
      await turnUntil(() => first.state === 'active')
      const task = state === 'active' ? first : app.backgroundTasks.add(work, {}, state === 'delayed' ? { delay: 60_000 } : {})
      await turnUntil(() => task.state === state)
      const response = await app.inject({ method: 'DELETE', url: `/tasks/${task.id}` })
      t.equal(response.statusCode, 200)
      t.strictSame(response.json(), JSON.parse(JSON.stringify(task)))
      t.match(response.json(), { id: task.id, state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } })
      first.cancel()
    })
  }
}

t.test('DELETE is there only with cancel: true', async (t) => {
  for (const options of [{}, { cancel: false }]) {
    const app = await createRoutes(t, options)
    const task = app.backgroundTasks.waitUntil(new Promise(() => {}))
    const response = await app.inject({ method: 'DELETE', url: `/tasks/${task.id}` })
    t.equal(response.statusCode, 404)
    t.match(response.json().message, /^Route DELETE:/)
    t.equal(task.state, 'active')
    task.cancel()
  }
})

// onRequest

const authenticate: onRequestHookHandler = async function (request, reply) {
  if (request.headers.authorization !== 'Bearer secret') return reply.code(401).send({ message: 'who are you?' })
}

const hooks: Array<[title: string, onRequest: NonNullable<TaskRoutesOptions['onRequest']>]> = [
  ['a function', authenticate],
  ['a function with a callback', (request, reply, done) => {
    if (request.headers.authorization === 'Bearer secret') done()
    else reply.code(401).send({ message: 'who are you?' })
  }],
  ['a function that throws', async (request) => {
    if (request.headers.authorization !== 'Bearer secret') throw Object.assign(new Error('who are you?'), { statusCode: 401 })
  }],
  ['an array', [async () => {}, authenticate]]
]

for (const [title, onRequest] of hooks) {
  t.test(`onRequest is ${title}, and guards every route`, async (t) => {
    const app = await createApp(t)
    app.get('/other', async () => 'ok')
    await app.register(taskRoutes, { prefix: '/tasks', cancel: true, onRequest })
    await app.ready()
    const { id } = app.backgroundTasks.add(() => {})
    await app.backgroundTasks.idle()
    const routes = [
      ['GET', `/tasks/${id}`, 200], ['HEAD', `/tasks/${id}`, 200], ['GET', `/tasks/${id}/events`, 200], ['DELETE', `/tasks/${id}`, 409],
      ['GET', `/tasks/${unknown}`, 404], ['GET', `/tasks/${unknown}/events`, 404], ['DELETE', `/tasks/${unknown}`, 404]
    ] as const
    for (const [method, url, status] of routes) {
      const refused = await app.inject({ method, url })
      t.equal(refused.statusCode, 401, `${method} ${url}`)
      if (method !== 'HEAD') t.match(refused.json(), { message: 'who are you?' })
      const { statusCode } = await app.inject({ method, url, headers: { authorization: 'Bearer secret' } })
      t.equal(statusCode, status, `${method} ${url}`)
    }
    t.equal((await app.inject('/other')).statusCode, 200, 'other routes are not guarded')
  })
}

t.test('the hooks of onRequest run in order, with the instance as this', async (t) => {
  const calls: unknown[] = []
  const app = await createRoutes(t, {
    onRequest: [
      async function () { calls.push(['first', this.hasDecorator('backgroundTasks')]) },
      async function () { calls.push(['second', this.prefix]) }
    ]
  })
  await app.inject(`/tasks/${unknown}`)
  t.same(calls, [['first', true], ['second', '/tasks']])
})

// Registration

for (const [options, message] of [
  [{ cancel: 'yes' }, 'option "cancel" must be true or false, received "yes"'],
  [{ cancel: null }, 'option "cancel" must be true or false, received null'],
  [{ onRequest: 'auth' }, 'option "onRequest" must be a function or an array of functions, received "auth"'],
  [{ onRequest: null }, 'option "onRequest" must be a function or an array of functions, received null'],
  [{ onRequest: [authenticate, undefined] }, 'option "onRequest" must be a function or an array of functions, received an array'],
  [{ preHandler: authenticate }, 'unknown option "preHandler", received function authenticate'],
  [{ list: true }, 'unknown option "list", received true']
] as const) {
  t.test(`register refuses ${JSON.stringify(options)}: ${message}`, async (t) => {
    const app = await createApp(t)
    await t.rejects(Promise.resolve(app.register(taskRoutes, options as object)), { code: 'FST_BGT_INVALID_OPTIONS', message })
  })
}

t.test('the options of Fastify\'s register are let through', async (t) => {
  const app = await createApp(t)
  await app.register(taskRoutes, { prefix: '/tasks', logLevel: 'warn', logSerializers: {}, onRequest: [], cancel: undefined as never })
  t.equal((await app.inject(`/tasks/${unknown}`)).statusCode, 404)
})

t.test('without the main plugin, or in front of it, register says what is missing', async (t) => {
  const expected = { message: /'fastify-background-tasks' of plugin 'fastify-background-tasks-routes' is not registered/ }
  const app = Fastify()
  await t.rejects(Promise.resolve(app.register(taskRoutes, { prefix: '/tasks' })), expected)
  const early = Fastify()
  early.register(taskRoutes, { prefix: '/tasks' })
  early.register(backgroundTasks)
  await t.rejects(Promise.resolve(early.ready()), expected)
})

t.test('the routes may be registered more than once, each with its own options', async (t) => {
  const app = await createApp(t)
  await app.register(async (child) => {
    await child.register(taskRoutes, { prefix: '/tasks' })
    await child.register(taskRoutes, { prefix: '/admin/tasks', cancel: true })
  }, { prefix: '/v1' })
  await app.ready()
  const task: Task = app.backgroundTasks.waitUntil(new Promise(() => {}))
  t.equal((await app.inject(`/v1/tasks/${task.id}`)).statusCode, 200)
  t.equal((await app.inject({ method: 'DELETE', url: `/v1/tasks/${task.id}` })).statusCode, 404)
  t.equal((await app.inject({ method: 'DELETE', url: `/v1/admin/tasks/${task.id}` })).statusCode, 200)
})

t.test('there is no list of tasks', async (t) => {
  const app = await createRoutes(t, { cancel: true })
  const { id } = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.notMatch(app.printRoutes({ commonPrefix: false }), /^└── \/tasks \(/m)
  for (const url of ['/tasks', '/tasks/', '/tasks/*', '/tasks?id=', '/']) {
    const response = await app.inject(url)
    t.equal(response.statusCode, 404)
    t.notMatch(response.body, id)
  }
})

for (const method of ['GET', 'DELETE'] as const) {
  t.test(`${method} replies 503 while the engine cannot be asked, and tells the client nothing of the driver`, async (t) => {
    const cause = new Error('connect ECONNREFUSED db.internal:6379 as role app')
    const engine = createEngine(() => ({ get: async () => { throw cause } }))
    const app = await createRoutes(t, { cancel: true }, { engine })
    const response = await app.inject({ method, url: `/tasks/${unknown}` })
    t.equal(response.statusCode, 503)
    t.strictSame(response.json(), {
      statusCode: 503, code: 'FST_BGT_ENGINE', error: 'Service Unavailable', message: 'background tasks could not be asked for'
    })
    await t.rejects(app.backgroundTasks.get(unknown), { code: 'FST_BGT_ENGINE', cause })
  })
}
