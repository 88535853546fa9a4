import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import type { ResponseMessage, Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { collectGarbage } from '../support/garbage.js'
import { createLatch } from '../support/latch.js'
import { portOf } from '../support/transports.js'
import { nextTurn, turnUntil } from '../support/turns.js'

interface Message {
  task: Task
  request: FastifyRequest | undefined
  result?: unknown
  error?: unknown
}

const run = tracingChannel<unknown, Message>('fastify-background-tasks.run')

interface Trace {
  /** Name of the event, name and attempt of the task. */
  events: string[]
  messages: Message[]
}

/** Listens on the run channel until the test is over. */
function traceRuns (t: Test): Trace {
  const trace: Trace = { events: [], messages: [] }
  const onEvent = (name: string) => (message: unknown): void => {
    const { task } = message as Message
    trace.events.push(`${name} ${task.name} ${task.attempt} ${task.state}`)
    trace.messages.push(message as Message)
  }
  const subscribers = {
    start: onEvent('start'),
    end: onEvent('end'),
    asyncStart: onEvent('asyncStart'),
    asyncEnd: onEvent('asyncEnd'),
    error: onEvent('error')
  }
  run.subscribe(subscribers)
  t.teardown(() => { run.unsubscribe(subscribers) })
  return trace
}

/** Sends a request whose handler adds tasks, and waits for all of them. */
async function runInRequest (app: FastifyInstance, work: (request: FastifyRequest) => void): Promise<void> {
  app.get('/', async (request) => {
    work(request)
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  await nextTurn()
}

t.test('a synchronous attempt is traced from start to asyncEnd', async (t) => {
  const trace = traceRuns(t)
  const app = await createApp(t)
  let task!: Task
  let request!: FastifyRequest
  await runInRequest(app, (req) => {
    request = req
    task = req.backgroundTasks.add({ name: 'sync' }, (task) => {
      trace.events.push(`runs ${task.name}`)
      return 'result'
    })
  })
  t.same(trace.events, [
    'start sync 1 active', 'runs sync', 'end sync 1 completed', 'asyncStart sync 1 completed', 'asyncEnd sync 1 completed'
  ])
  t.equal(new Set(trace.messages).size, 1)
  const message = trace.messages[0]
  t.equal(message?.task, task)
  t.equal(message?.request, request)
  t.equal(message?.result, 'result')
  t.notOk('error' in (message ?? {}))
})

t.test('an async attempt is traced until its promise settles', async (t) => {
  const trace = traceRuns(t)
  const app = await createApp(t)
  await runInRequest(app, (request) => {
    request.backgroundTasks.add({ name: 'async' }, async () => {
      await nextTurn()
      trace.events.push('settles')
      return 'result'
    })
  })
  t.same(trace.events, [
    'start async 1 active', 'end async 1 active', 'settles', 'asyncStart async 1 completed', 'asyncEnd async 1 completed'
  ])
  t.equal(trace.messages[0]?.result, 'result')
})

for (const [what, fn] of [
  ['throws', () => { throw new Error('fails') }],
  ['rejects', async () => { throw new Error('fails') }]
] as const) {
  t.test(`an attempt that ${what} publishes an error`, async (t) => {
    const trace = traceRuns(t)
    const app = await createApp(t)
    await runInRequest(app, (request) => { request.backgroundTasks.add({ name: 'bad' }, fn) })
    t.same(trace.events.map((event) => event.split(' ')[0]), ['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
    t.match(trace.messages[0]?.error, { message: 'fails' })
    t.notOk('result' in (trace.messages[0] ?? {}))
  })
}

t.test('each attempt is traced with a message of its own', async (t) => {
  const trace = traceRuns(t)
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add({ name: 'flaky', retry: { retries: 1, delay: 10, jitter: false } }, (task) => {
    if (task.attempt === 1) throw new Error('attempt 1')
  })
  await turnUntil(() => task.state === 'delayed')
  await nextTurn()
  t.same(trace.events.splice(0), [
    'start flaky 1 active', 'end flaky 1 delayed', 'error flaky 1 delayed', 'asyncStart flaky 1 delayed', 'asyncEnd flaky 1 delayed'
  ])
  tick(10)
  await app.backgroundTasks.idle()
  await nextTurn()
  t.same(trace.events, [
    'start flaky 2 active', 'end flaky 2 completed', 'asyncStart flaky 2 completed', 'asyncEnd flaky 2 completed'
  ])
  t.equal(new Set(trace.messages).size, 2)
})

t.test('the trace of an attempt that times out ends with it, not with its function', async (t) => {
  const trace = traceRuns(t)
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const release = createLatch<string>()
  const task = app.backgroundTasks.add({ name: 'slow', timeout: 10 }, () => release.promise)
  await turnUntil(() => task.state === 'active')
  tick(10)
  await nextTurn()
  t.same(trace.events.splice(0), [
    'start slow 1 active', 'end slow 1 active', 'error slow 1 failed', 'asyncStart slow 1 failed', 'asyncEnd slow 1 failed'
  ])
  t.match(trace.messages[0]?.error, { code: 'FST_BGT_TIMEOUT' })
  release.resolve('late')
  await nextTurn()
  t.same(trace.events, [])
})

t.test('the trace of an attempt that is cancelled ends with it', async (t) => {
  const trace = traceRuns(t)
  const app = await createApp(t)
  const task = app.backgroundTasks.add({ name: 'slow' }, () => new Promise(() => {}))
  await turnUntil(() => task.state === 'active')
  task.cancel('enough')
  await nextTurn()
  t.same(trace.events, [
    'start slow 1 active', 'end slow 1 active', 'error slow 1 cancelled', 'asyncStart slow 1 cancelled', 'asyncEnd slow 1 cancelled'
  ])
  t.match(trace.messages[0]?.error, { code: 'FST_BGT_CANCELLED' })
})

t.test('a subscriber that cancels the task at its start keeps it from running, and the trace ends', async (t) => {
  const trace = traceRuns(t)
  const app = await createApp(t)
  const cancelFirst = (message: unknown): void => { (message as Message).task.cancel('not now') }
  run.start.subscribe(cancelFirst)
  t.teardown(() => { run.start.unsubscribe(cancelFirst) })
  const task = app.backgroundTasks.add({ name: 'unwanted' }, () => { t.fail('a cancelled task has run') })
  await app.backgroundTasks.idle()
  await nextTurn()
  t.equal(task.state, 'cancelled')
  t.same(trace.events.map((event) => event.split(' ')[0]), ['start', 'end', 'error', 'asyncStart', 'asyncEnd'])
})

t.test('skipped tasks, tasks cancelled before they start and waitUntil are not attempts', async (t) => {
  const trace = traceRuns(t)
  const app = await createApp(t)
  await runInRequest(app, ({ backgroundTasks }) => {
    backgroundTasks.add({ when: 'error' }, () => {})
    backgroundTasks.add(() => {}).cancel()
    backgroundTasks.waitUntil(Promise.resolve())
  })
  t.same(trace.events, [])
})

t.test('a task of the app is traced without a request', async (t) => {
  const trace = traceRuns(t)
  const app = await createApp(t)
  app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.same(Object.keys(trace.messages[0] ?? {}).slice(0, 2), ['task', 'request'])
  t.equal(trace.messages[0]?.request, undefined)
})

t.test('a store bound to the run channel is seen inside the task, and after it awaits', async (t) => {
  traceRuns(t)
  const app = await createApp(t)
  const spans = new AsyncLocalStorage<string>()
  run.start.bindStore(spans, ({ task }) => `span of ${task.name} ${task.attempt}`)
  t.teardown(() => { run.start.unbindStore(spans) })
  const seen: Array<string | undefined> = []
  const atAdd = new AsyncLocalStorage<string>()
  await runInRequest(app, (request) => {
    atAdd.run('added', () => {
      request.backgroundTasks.add({ name: 'sync' }, () => { seen.push(spans.getStore(), atAdd.getStore()) })
      request.backgroundTasks.add({ name: 'async', retry: { retries: 1, delay: 0 } }, async (task) => {
        await nextTurn()
        seen.push(spans.getStore(), atAdd.getStore())
        if (task.attempt === 1) throw new Error('flaky')
      })
    })
    seen.push(spans.getStore())
  })
  t.same(seen, [undefined, 'span of sync 1', 'added', 'span of async 1', 'added', 'span of async 2', 'added'])
})

t.test('a store bound to the run channel is not seen by other tasks, nor after the task', async (t) => {
  const app = await createApp(t)
  const spans = new AsyncLocalStorage<string>()
  run.start.bindStore(spans, ({ task }) => task.name)
  t.teardown(() => { run.start.unbindStore(spans) })
  const seen: Array<string | undefined> = []
  const push = (): void => { seen.push(spans.getStore()) }
  app.backgroundTasks.add({ name: 'a' }, push)
  app.backgroundTasks.add({ name: 'b' }, push)
  await app.backgroundTasks.idle()
  push()
  t.same(seen, ['a', 'b', undefined])
})

t.test('the add channel publishes each task, with its request', async (t) => {
  const messages: Message[] = []
  const onAdd = (message: unknown): void => { messages.push(message as Message) }
  subscribe('fastify-background-tasks.add', onAdd)
  t.teardown(() => { unsubscribe('fastify-background-tasks.add', onAdd) })
  const app = await createApp(t)
  const tasks: Task[] = []
  let request!: FastifyRequest
  await runInRequest(app, (req) => {
    request = req
    tasks.push(
      req.backgroundTasks.add(() => {}),
      req.backgroundTasks.add({ name: 'named' }, () => {}),
      req.backgroundTasks.waitUntil(Promise.resolve()))
    t.equal(messages.length, 3, 'published by add itself')
    t.throws(() => req.backgroundTasks.add(null as never))
  })
  tasks.push(app.backgroundTasks.add(() => {}))
  tasks.push(request.backgroundTasks.add(() => {}))
  await app.backgroundTasks.idle()
  t.equal(messages.length, 5)
  for (const [index, message] of messages.entries()) {
    t.strictSame(Object.keys(message), ['task', 'request'])
    t.equal(message.task, tasks[index])
    t.equal(message.request, index === 3 ? undefined : request)
  }
})

t.test('a subscriber may cancel a task while it is added', async (t) => {
  const onAdd = (message: unknown): void => { (message as Message).task.cancel('unwanted') }
  subscribe('fastify-background-tasks.add', onAdd)
  t.teardown(() => { unsubscribe('fastify-background-tasks.add', onAdd) })
  const app = await createApp(t)
  const tasks = [
    app.backgroundTasks.add(() => { t.fail('a cancelled task has run') }),
    app.backgroundTasks.add({}, () => { t.fail('a cancelled task has run') }),
    app.backgroundTasks.waitUntil(Promise.resolve())
  ]
  await app.backgroundTasks.idle()
  await nextTurn()
  t.same(tasks.map(({ state }) => state), ['cancelled', 'cancelled', 'cancelled'])
  t.match(app.backgroundTasks.stats(), { cancelled: 3, active: 0, waiting: 0 })
})

for (const listens of [true, false]) {
  t.test(`a pending task ${listens ? 'keeps' : 'does not keep'} its request alive while ${listens ? 'somebody' : 'nobody'} listens`, async (t) => {
    if (listens) traceRuns(t)
    const app = await createApp(t)
    const release = createLatch()
    let ref!: WeakRef<FastifyRequest>
    app.get('/', async (request) => {
      ref = new WeakRef(request)
      request.backgroundTasks.add(() => release.promise)
      return 'ok'
    })
    await app.inject('/')
    await turnUntil(() => app.backgroundTasks.stats().active === 1)
    await nextTurn()
    collectGarbage()
    t.equal(ref.deref() !== undefined, listens)
    release.resolve()
    await app.backgroundTasks.idle()
  })
}

const responses = 'fastify-background-tasks.response'

/** The messages of the response channel, until the test is over. */
function noteResponses (t: Test): ResponseMessage[] {
  const messages: ResponseMessage[] = []
  const onMessage = (message: unknown): void => { messages.push(message as ResponseMessage) }
  subscribe(responses, onMessage)
  t.teardown(() => { unsubscribe(responses, onMessage) })
  return messages
}

t.test('the end of a response whose request added tasks is published once, before any of them starts', async (t) => {
  const messages = noteResponses(t)
  const app = await createApp(t)
  let published = 0
  app.get('/add', async (request, reply) => {
    request.backgroundTasks.add(() => { published = messages.length })
    return await reply.code(202).send({})
  })
  app.get('/wait', async (request) => {
    request.backgroundTasks.waitUntil(Promise.resolve())
    return {}
  })
  app.get('/clear', async (request) => {
    request.backgroundTasks.add(() => {})
    request.backgroundTasks.clear()
    return {}
  })
  app.get('/look', async (request) => ({ size: request.backgroundTasks.size }))
  app.get('/none', async () => ({}))
  for (const path of ['/add', '/wait', '/clear', '/look', '/none']) {
    await app.inject(path)
    await app.backgroundTasks.idle()
  }
  app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.same(messages.map(({ request, response }) => [request.url, response]), [
    ['/add', { outcome: 'sent', statusCode: 202 }],
    ['/wait', { outcome: 'sent', statusCode: 200 }],
    ['/clear', { outcome: 'sent', statusCode: 200 }]
  ])
  t.equal(published, 1)
})

t.test('a response that is cut off is published as aborted', async (t) => {
  const messages = noteResponses(t)
  const app = await createApp(t)
  app.get('/', (request, reply) => {
    request.backgroundTasks.add(() => {})
    request.raw.socket.destroy()
  })
  await t.rejects(fetch(`http://127.0.0.1:${await portOf(app)}/`))
  await app.backgroundTasks.idle()
  t.match(messages, [{ request: { url: '/' }, response: { outcome: 'aborted' } }])
  t.equal(messages.length, 1)
})
