import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { collectGarbage } from '../support/garbage.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

t.test('add returns the object that the function receives', async (t) => {
  const app = await createApp(t)
  let received: unknown
  const task = app.backgroundTasks.add({}, (task) => { received = task })
  await app.backgroundTasks.idle()
  t.equal(received, task)
})

t.test('a task is not thenable', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(async () => 'result')
  t.notOk('then' in task)
  t.equal(await task, task)
  t.equal(task.state, 'waiting', 'await has not waited for it')
  await app.backgroundTasks.idle()
})

t.test('id is a UUID, always the same, and the task can be looked up by it from its first read on', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(() => {})
  const other = app.backgroundTasks.add(() => {})
  const { id } = task
  t.match(id, UUID)
  t.equal(task.id, id)
  t.not(other.id, id)
  t.match(await app.backgroundTasks.get(id), { id, state: 'waiting' })
  await app.backgroundTasks.idle()
  t.equal(task.id, id)
  t.match(await app.backgroundTasks.get(id), { id, state: 'completed' })
})

t.test('state goes from waiting to active to delayed and to its end', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const states: string[] = []
  const task: Task = app.backgroundTasks.add({ retry: { retries: 1, delay: 10, jitter: false } }, async (task) => {
    states.push(`${task.state} ${task.attempt}`)
    await nextTurn()
    if (task.attempt === 1) throw new Error('flaky')
    return 'done'
  })
  states.push(`${task.state} ${task.attempt}`)
  await turnUntil(() => task.state === 'delayed')
  states.push(`${task.state} ${task.attempt}`)
  tick(10)
  await app.backgroundTasks.idle()
  states.push(`${task.state} ${task.attempt}`)
  t.same(states, ['waiting 1', 'active 1', 'delayed 1', 'active 2', 'completed 2'])
})

t.test('result is what the function returned, error why it failed, neither before the end', async (t) => {
  const app = await createApp(t)
  const release = createLatch()
  const error = new Error('fails')
  const completed = app.backgroundTasks.add(async () => {
    await release.promise
    return { value: 1 }
  })
  const failed = app.backgroundTasks.add(async () => {
    await release.promise
    throw error
  })
  t.same([completed.result, completed.error, failed.result, failed.error], Array(4).fill(undefined))
  await turnUntil(() => app.backgroundTasks.stats().active === 2)
  t.same([completed.result, completed.error, failed.result, failed.error], Array(4).fill(undefined))
  release.resolve()
  await app.backgroundTasks.idle()
  t.same(completed.result, { value: 1 })
  t.equal(completed.error, undefined)
  t.equal(failed.result, undefined)
  t.equal(failed.error, error)
})

t.test('response is undefined until the response is over, then tells how', async (t) => {
  const app = await createApp(t)
  let task!: Task
  let before: unknown = 'not read'
  app.get('/', async (request, reply) => {
    task = request.backgroundTasks.add({}, (task) => task.response)
    before = task.response
    return reply.code(201).send('created')
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(before, undefined)
  t.same(task.result, { outcome: 'sent', statusCode: 201 })
  t.same(task.response, { outcome: 'sent', statusCode: 201 })
})

t.test('response is undefined for a task of the app', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.equal(task.response, undefined)
})

t.test('server is the Fastify instance of the request, or the app', async (t) => {
  const app = await createApp(t)
  let child!: FastifyInstance
  let task!: Task
  await app.register(async (instance) => {
    child = instance
    child.get('/', async (request) => {
      task = request.backgroundTasks.add({}, (task) => task.server)
      return 'ok'
    })
  })
  await app.inject('/')
  const own = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.equal(task.server, child)
  t.equal(task.result, child)
  t.equal(own.server.backgroundTasks, app.backgroundTasks)
})

t.test('lines of task.log carry reqId, task and taskId', async (t) => {
  const log = createLog('info')
  const app = await createApp(t, {}, { logger: log.logger })
  let task!: Task
  app.get('/', async (request) => {
    task = request.backgroundTasks.add({ name: 'resize' }, (task) => {
      task.log.info({ size: 10 }, 'resizing')
      t.equal(task.log, task.log)
    })
    return 'ok'
  })
  await app.inject('/')
  const own = app.backgroundTasks.add({ name: 'sweep' }, (task) => { task.log.warn('sweeping') })
  await app.backgroundTasks.idle()
  t.same(log.lines.filter((line) => 'task' in line), [
    { level: 'info', reqId: 'req-1', task: 'resize', taskId: task.id, size: 10, msg: 'resizing' },
    { level: 'warn', task: 'sweep', taskId: own.id, msg: 'sweeping' }
  ])
})

t.test('task.log follows the log level of the route', async (t) => {
  const log = createLog('info')
  const app = await createApp(t, {}, { logger: log.logger })
  app.get('/', { logLevel: 'error' }, async (request) => {
    request.backgroundTasks.add({}, (task) => {
      task.log.warn('quiet')
      task.log.error('loud')
    })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(log.lines.map(({ msg }) => msg), ['loud'])
})

t.test('signal is one object, not aborted as long as all goes well', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add({}, async (task) => {
    t.equal(task.signal, task.signal)
    t.type(task.signal, AbortSignal)
    await nextTurn()
    return task.signal
  })
  await app.backgroundTasks.idle()
  t.equal(task.result, task.signal)
  t.equal(task.signal.aborted, false)
})

t.test('an attempt after one that timed out has a fresh signal', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const signals: AbortSignal[] = []
  const task = app.backgroundTasks.add({ timeout: 10, retry: { retries: 1, delay: 10, jitter: false } }, (task) => {
    signals.push(task.signal)
    return task.attempt === 1 ? new Promise(() => {}) : 'done'
  })
  await turnUntil(() => task.state === 'active')
  tick(10)
  t.equal(task.state, 'delayed')
  t.equal(task.signal, signals[0])
  t.equal(task.signal.aborted, true)
  tick(10)
  await app.backgroundTasks.idle()
  t.equal(task.result, 'done')
  t.equal(signals[0]?.aborted, true)
  t.equal(signals[1]?.aborted, false)
  t.equal(task.signal, signals[1])
})

t.test('a failure that is no timeout leaves the signal alone', async (t) => {
  const app = await createApp(t)
  const signals: AbortSignal[] = []
  app.backgroundTasks.add({ retry: { retries: 1, delay: 0 } }, (task) => {
    signals.push(task.signal)
    throw new Error('fails')
  })
  await app.backgroundTasks.idle()
  t.equal(signals.length, 2)
  t.same(signals.map(({ aborted }) => aborted), [false, false])
})

t.test('a signal first read after the timeout is aborted already', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add({ timeout: 10 }, () => new Promise(() => {}))
  await turnUntil(() => task.state === 'active')
  tick(10)
  t.equal(task.signal.aborted, true)
  t.match(task.signal.reason, { code: 'FST_BGT_TIMEOUT' })
})

t.test('progress is a number, or any JSON value, copied', async (t) => {
  const app = await createApp(t)
  const shared = { done: 1, of: 2 }
  const seen: unknown[] = []
  const task = app.backgroundTasks.add({}, (task) => {
    for (const value of [0, 0.5, 1, 'half', null, true, [1, { a: 2 }], { toJSON: () => 'from toJSON' }, shared]) {
      task.progress(value)
      seen.push(task.toJSON().progress)
    }
    shared.done = 2
  })
  t.notOk('progress' in task.toJSON())
  task.progress(0.1)
  t.equal(task.toJSON().progress, 0.1)
  await app.backgroundTasks.idle()
  t.same(seen, [0, 0.5, 1, 'half', null, true, [1, { a: 2 }], 'from toJSON', { done: 1, of: 2 }])
  t.same(task.toJSON().progress, { done: 1, of: 2 })
})

t.test('progress after the end is ignored', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add({}, (task) => { task.progress(1) })
  await app.backgroundTasks.idle()
  task.progress(0.5)
  t.equal(task.toJSON().progress, 1)
})

const circular: Record<string, unknown> = {}
circular.self = circular

for (const [what, value, message] of [
  ['undefined', undefined, 'progress must be JSON, received undefined'],
  ['a function', function resize () {}, 'progress must be JSON, received function resize'],
  ['a symbol', Symbol('half'), 'progress must be JSON, received Symbol(half)'],
  ['a bigint', 1n, /^progress must be JSON: .*BigInt/],
  ['a circular object', circular, /^progress must be JSON: .*circular/],
  ['NaN', NaN, 'progress must be JSON, received NaN'],
  ['Infinity', Infinity, 'progress must be JSON, received Infinity'],
  ['what throws in toJSON', { toJSON () { throw new Error('toJSON') } }, 'progress must be JSON: toJSON']
] as const) {
  t.test(`progress refuses ${what}`, async (t) => {
    const app = await createApp(t)
    const task = app.backgroundTasks.add(() => {})
    task.progress(0.5)
    t.throws(() => { task.progress(value) }, { code: 'FST_BGT_INVALID_PAYLOAD', statusCode: 500, message })
    t.equal(task.toJSON().progress, 0.5)
    await app.backgroundTasks.idle()
  })
}

t.test('toJSON gives what is known and no more', async (t) => {
  const app = await createApp(t)
  const release = createLatch()
  const task = app.backgroundTasks.add({ name: 'resize' }, () => release.promise)
  const { id } = task
  t.strictSame(Object.keys(task.toJSON()), ['id', 'name', 'state', 'attempt', 'createdAt'])
  t.match(task.toJSON(), { id, name: 'resize', state: 'waiting', attempt: 1, createdAt: ISO })
  await turnUntil(() => task.state === 'active')
  t.strictSame(Object.keys(task.toJSON()), ['id', 'name', 'state', 'attempt', 'createdAt', 'startedAt'])
  task.progress(0.5)
  release.resolve()
  await app.backgroundTasks.idle()
  t.match(task.toJSON(), { id, state: 'completed', progress: 0.5, createdAt: ISO, startedAt: ISO, finishedAt: ISO })
  t.strictSame(Object.keys(task.toJSON()),
    ['id', 'name', 'state', 'attempt', 'progress', 'createdAt', 'startedAt', 'finishedAt'])
  t.same(JSON.parse(JSON.stringify({ task })), { task: task.toJSON() })
})

t.test('the times of a task are in order, and close to the clock on the wall', async (t) => {
  const app = await createApp(t)
  const before = Date.now()
  const task = app.backgroundTasks.add(async () => { await nextTurn() })
  await app.backgroundTasks.idle()
  const after = Date.now()
  const { createdAt, startedAt, finishedAt } = task.toJSON()
  const times = [createdAt, startedAt, finishedAt].map((time) => Date.parse(time as string))
  t.same(times, [...times].sort((a, b) => a - b))
  // The monotonic clock and that of the wall may differ by a rounding.
  for (const time of times) t.ok(time >= before - 2 && time <= after + 2, `${before} <= ${time} <= ${after}`)
  t.same(task.toJSON(), task.toJSON())
})

t.test('the error in toJSON has name, code and message, never a stack', async (t) => {
  const app = await createApp(t)
  class TeapotError extends Error {
    override name = 'TeapotError'
    code = 'TEAPOT'
    secret = 'secret'
  }
  const errors: Array<[thrown: unknown, snapshot: object]> = [
    [new Error('plain'), { name: 'Error', message: 'plain' }],
    [new TypeError('typed'), { name: 'TypeError', message: 'typed' }],
    [new TeapotError('short and stout'), { name: 'TeapotError', code: 'TEAPOT', message: 'short and stout' }],
    [Object.assign(new Error('numbered'), { code: 404 }), { name: 'Error', message: 'numbered' }],
    ['a string', { name: 'Error', message: 'a string' }],
    [undefined, { name: 'Error', message: 'undefined' }],
    [null, { name: 'Error', message: 'null' }],
    [Symbol('thrown'), { name: 'Error', message: 'Symbol(thrown)' }],
    [42, { name: 'Error', message: '42' }],
    [{ message: 'an object' }, { name: 'Error', message: 'an object' }],
    [Object.create(null), { name: 'Error', message: 'an object of type Object' }]
  ]
  for (const [thrown, snapshot] of errors) {
    const task = app.backgroundTasks.add(() => { throw thrown })
    await app.backgroundTasks.idle()
    t.strictSame(task.toJSON().error, snapshot)
  }
})

t.test('the result is not part of toJSON', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(() => 'secret')
  await app.backgroundTasks.idle()
  t.notOk('result' in task.toJSON())
})

t.test('a task that has ended keeps neither its function nor its arguments alive', async (t) => {
  const app = await createApp(t)
  const refs: Array<WeakRef<object>> = []
  const add = (run: (user: object) => unknown): Task => {
    const user = {}
    const fn = (user: object): unknown => run(user)
    refs.push(new WeakRef(user), new WeakRef(fn))
    return app.backgroundTasks.add(fn, user)
  }
  // An error made inside would keep the functions on its stack alive.
  const error = new Error('fails')
  const tasks = [
    add(() => 'done'), add(async () => 'done'), add(() => { throw error }), add(() => new Promise(() => {}))
  ]
  tasks[3]?.cancel()
  await app.backgroundTasks.idle()
  await nextTurn()
  collectGarbage()
  t.same(tasks.map(({ state }) => state), ['completed', 'completed', 'failed', 'cancelled'])
  t.same(refs.map((ref) => ref.deref()), Array(8).fill(undefined))
})

t.test('an id, a signal, a child logger and a timer are made only for tasks that ask for them', async (t) => {
  const log = createLog('info')
  const app = await createApp(t, {}, { logger: log.logger, disableRequestLogging: true })
  const made: string[] = []
  const spy = (name: string, fn: (...args: never[]) => unknown) => ({
    value: function (this: unknown, ...args: never[]) {
      made.push(name)
      return new.target === undefined ? fn.apply(this, args) : Reflect.construct(fn, args)
    }
  })
  t.intercept(crypto, 'randomUUID', spy('id', crypto.randomUUID))
  syncBuiltinESMExports()
  t.intercept(globalThis, 'AbortController', spy('signal', AbortController as never))
  t.intercept(globalThis, 'setTimeout', spy('timer', setTimeout as never))
  const tasks: Task[] = []
  let child = 0
  app.get('/', async (request) => {
    const { log } = request
    request.log = Object.create(log, { child: { value (...args: [object]) { child++; return log.child(...args) } } })
    tasks.push(
      request.backgroundTasks.add((text: string) => text, 'a'),
      request.backgroundTasks.add({ when: 'success', name: 'async' }, async (task) => task.attempt),
      request.backgroundTasks.add({ when: 'error' }, () => {}),
      request.backgroundTasks.waitUntil(Promise.resolve()),
      request.backgroundTasks.add({ retry: 3 }, async () => { await nextTurn() }))
    return 'ok'
  })
  await app.ready()
  made.length = 0
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(app.backgroundTasks.stats().completed, 4)
  t.same(made, [])
  t.equal(child, 0)

  t.ok(tasks[0]?.id)
  t.same(made.splice(0), ['id'])
  t.ok(tasks[1]?.signal)
  t.same(made.splice(0), ['signal'])
  t.ok(tasks[1]?.log)
  t.equal(child, 1)
  app.backgroundTasks.add({ timeout: 1000 }, () => {})
  await app.backgroundTasks.idle()
  t.same(made.filter((name) => name === 'timer'), ['timer'])
})
t.teardown(() => { syncBuiltinESMExports() })
