import { Type } from '@sinclair/typebox'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions, type Task, defineTask } from '../index.js'
import { type TaskCapture, captureTasks } from '../lib/testing.js'
import { createApp } from './support/app.js'
import { useFakeTimers } from './support/clock.js'
import { createEngine } from './support/engine.js'
import { createLatch } from './support/latch.js'
import { createLog } from './support/log.js'
import { nextTurn } from './support/turns.js'

interface Scene {
  app: FastifyInstance
  capture: TaskCapture
  ran: unknown[]
}

async function createScene (t: Test, setup: (app: FastifyInstance, ran: unknown[]) => void = () => {}, options: BackgroundTasksOptions = {}): Promise<Scene> {
  const app = await createApp(t, options)
  const ran: unknown[] = []
  setup(app, ran)
  await app.ready()
  return { app, capture: captureTasks(app), ran }
}

const mail = defineTask({
  name: 'mail',
  payload: Type.Object({ to: Type.String(), subject: Type.Optional(Type.String({ default: 'Hello' })) }),
  result: Type.Object({ sent: Type.Boolean() }),
  handler: () => ({ sent: true })
})

t.test('a captured task has its name, args, options and request, and does not run', async (t) => {
  const { app, capture, ran } = await createScene(t, (app, ran) => {
    async function sendWelcome (to: string, times: number): Promise<void> { ran.push([to, times]) }
    app.post('/', async (request) => {
      request.backgroundTasks.add(sendWelcome, 'ann@example.com', 2)
      request.backgroundTasks.add({ name: 'with options', timeout: 5, retry: { retries: 1 } }, (to: string, task: Task) => { ran.push(task) }, 'bob')
      request.backgroundTasks.add(() => {})
      request.backgroundTasks.add(mail, { to: 'ann' })
      request.backgroundTasks.add(mail, { to: 'bob' }, { when: 'success' })
      return 'ok'
    })
  })
  t.equal((await app.inject({ method: 'POST', url: '/' })).statusCode, 200)
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  t.same(ran, [])
  t.strictSame(capture.tasks.map(({ request, ...rest }) => rest), [
    { name: 'sendWelcome', args: ['ann@example.com', 2], options: {} },
    { name: 'with options', args: ['bob'], options: { name: 'with options', timeout: 5, retry: { retries: 1 } } },
    { name: 'anonymous', args: [], options: {} },
    { name: 'mail', args: [{ to: 'ann', subject: 'Hello' }], options: {} },
    { name: 'mail', args: [{ to: 'bob', subject: 'Hello' }], options: { when: 'success' } }
  ])
  for (const { request } of capture.tasks) t.match(request, { method: 'POST', url: '/' })
})

t.test('a task of the app is captured without a request', async (t) => {
  const { app, capture } = await createScene(t)
  app.backgroundTasks.add(function refresh (count: number) { return count }, 5)
  t.same(capture.tasks, [{ name: 'refresh', args: [5], options: {}, request: undefined }])
})

t.test('a task that is added late, and one that a response is to skip, are captured too', async (t) => {
  const added = createLatch()
  const { app, capture } = await createScene(t, (app) => {
    app.get('/', async (request, reply) => {
      request.backgroundTasks.add({ when: 'error', name: 'skipped' }, () => {})
      reply.raw.once('close', () => {
        setImmediate(() => {
          request.backgroundTasks.add({ name: 'late' }, () => {})
          added.resolve()
        })
      })
      return 'ok'
    })
  })
  await app.inject('/')
  await added.promise
  t.same(capture.tasks.map(({ name, request }) => [name, request?.url]), [['skipped', '/'], ['late', '/']])
  await capture.run()
  t.match(app.backgroundTasks.stats(), { skipped: 1, completed: 1 })
})

t.test('what add refuses is refused all the same', async (t) => {
  const { app, capture } = await createScene(t)
  t.throws(() => app.backgroundTasks.add(5 as never), { code: 'FST_BGT_INVALID_TASK' })
  t.throws(() => app.backgroundTasks.add({ timeout: 0 }, () => {}), { code: 'FST_BGT_INVALID_OPTIONS' })
  t.throws(() => app.backgroundTasks.add(mail, {} as never), { code: 'FST_BGT_INVALID_PAYLOAD' })
  t.throws(() => app.backgroundTasks.add(mail, { to: 'ann' }, { key: 'k' }), { code: 'FST_BGT_INVALID_OPTIONS' })
  t.same(capture.tasks, [])
})

t.test('captured tasks count neither in size, in stats, for maxPending nor for idle', async (t) => {
  const { app, capture } = await createScene(t, (app) => {
    app.get('/', async (request) => {
      for (let count = 0; count < 3; count++) request.backgroundTasks.add(() => {})
      return request.backgroundTasks.size
    })
  }, { maxPending: 1 })
  t.equal((await app.inject('/')).body, '0')
  await app.backgroundTasks.idle()
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0, completed: 0, oldestWaitingMs: 0 })
  t.equal(capture.tasks.length, 3)
})

t.test('close does not wait for captured tasks, nor name them', async (t) => {
  const log = createLog()
  const app = await createApp(t, { closeTimeout: 60_000 }, { logger: log.logger })
  await app.ready()
  const capture = captureTasks(app)
  app.backgroundTasks.add(() => { t.fail('it was captured') })
  await app.close()
  t.equal(capture.tasks.length, 1)
  t.same(log.taskLines(), [])
})

t.test('run runs the tasks one after the other, in the order added, and empties the list', async (t) => {
  const { app, capture, ran } = await createScene(t, (app, ran) => {
    app.get('/:n', async (request) => {
      const { n } = request.params as { n: string }
      for (const part of ['a', 'b']) {
        request.backgroundTasks.add(async () => {
          ran.push(`${n}${part} starts`)
          await nextTurn()
          ran.push(`${n}${part} ends`)
        })
      }
      return 'ok'
    })
  })
  await app.inject('/1')
  app.backgroundTasks.add(async () => {
    ran.push('app starts')
    await nextTurn()
    ran.push('app ends')
  })
  await app.inject('/2')
  t.equal(await capture.run(), undefined)
  t.same(ran, ['1a', '1b', 'app', '2a', '2b'].flatMap((name) => [`${name} starts`, `${name} ends`]))
  t.same(capture.tasks, [])
  await capture.run()
  t.equal(ran.length, 10)
  t.match(app.backgroundTasks.stats(), { completed: 5 })
})

t.test('run gives functions and named tasks what they would have got', async (t) => {
  const seen: unknown[] = []
  const work = defineTask({
    name: 'work',
    payload: {},
    result: Type.Object({ n: Type.Integer() }),
    handler (payload, task) {
      seen.push([payload, this === task.server, task.name, task.state, task.response])
      return { n: 7, secret: true }
    }
  })
  const tasks: Task[] = []
  const { app, capture } = await createScene(t, (app) => {
    app.get('/', async (request, reply) => {
      tasks.push(request.backgroundTasks.add({ name: 'function' }, (text: string, task: Task) => {
        seen.push([text, task.name, task.response])
        return text
      }, 'hello'))
      tasks.push(request.backgroundTasks.add(work, { n: 1 }))
      return reply.code(201).send('ok')
    })
  })
  await app.inject('/')
  t.same(tasks.map(({ state }) => state), ['waiting', 'waiting'])
  await capture.run()
  const response = { outcome: 'sent', statusCode: 201 }
  t.same(seen, [['hello', 'function', response], [{ n: 1 }, true, 'work', 'active', response]])
  t.same(tasks.map(({ state, result }) => [state, result]), [['completed', 'hello'], ['completed', { n: 7 }]])
})

t.test('run obeys when', async (t) => {
  const { app, capture, ran } = await createScene(t, (app, ran) => {
    app.get('/', async (request, reply) => {
      for (const when of ['always', 'success', 'error'] as const) request.backgroundTasks.add({ when }, () => { ran.push(when) })
      return reply.code(404).send('no')
    })
  })
  await app.inject('/')
  t.equal(capture.tasks.length, 3)
  await capture.run()
  t.same(ran, ['always', 'error'])
})

t.test('run rejects with an AggregateError of what failed, in order, after all have run', async (t) => {
  const errors: unknown[] = []
  const { app, capture, ran } = await createScene(t, () => {}, { onError: (error) => { errors.push(error) } })
  const [first, second] = [new Error('first'), new Error('second')]
  app.backgroundTasks.add(() => { throw first })
  app.backgroundTasks.add(() => { ran.push('between') })
  app.backgroundTasks.add(async () => { throw second })
  app.backgroundTasks.add(() => { throw 'text' }) // eslint-disable-line no-throw-literal
  app.backgroundTasks.add({ timeout: 5 }, () => new Promise(() => {}))
  app.backgroundTasks.add(() => { ran.push('last') })
  const error = await capture.run().then(() => undefined, (error) => error)
  t.type(error, AggregateError)
  t.same(error.errors.slice(0, 3), [first, second, 'text'])
  t.equal(error.errors[0], first)
  t.match(error.errors[3], { code: 'FST_BGT_TIMEOUT' })
  t.equal(error.errors.length, 4)
  t.equal(error.message, '4 captured background tasks failed')
  t.same(ran, ['between', 'last'])
  t.equal(errors.length, 4)
  t.same(capture.tasks, [])
})

t.test('run retries as told, and only the last failure counts', async (t) => {
  const { app, capture } = await createScene(t)
  const attempts: number[] = []
  app.backgroundTasks.add({ retry: { retries: 2, delay: 0 } }, ({ attempt }: Task) => {
    attempts.push(attempt)
    if (attempt < 3) throw new Error('again')
  })
  await capture.run()
  t.same(attempts, [1, 2, 3])
})

t.test('tasks that a captured task adds are captured and run by the same run', async (t) => {
  const { app, capture, ran } = await createScene(t, (app, ran) => {
    app.get('/', async (request) => {
      const { backgroundTasks } = request
      backgroundTasks.add(function outer () {
        ran.push('outer')
        backgroundTasks.add(function inner () {
          ran.push('inner')
          app.backgroundTasks.add(function innermost () { ran.push('innermost') })
        })
        ran.push(capture.tasks.map(({ name }) => name))
      })
      backgroundTasks.add(function second () { ran.push('second') })
      return 'ok'
    })
  })
  await app.inject('/')
  await capture.run()
  t.same(ran, ['outer', ['second', 'inner'], 'second', 'inner', 'innermost'])
  t.same(capture.tasks, [])
})

t.test('clear forgets the tasks', async (t) => {
  const { app, capture, ran } = await createScene(t)
  const { tasks } = capture
  app.backgroundTasks.add(() => { ran.push('cleared') })
  capture.clear()
  t.same(capture.tasks, [])
  t.equal(capture.tasks, tasks)
  app.backgroundTasks.add(() => { ran.push('kept') })
  t.equal(capture.tasks.length, 1)
  await capture.run()
  t.same(ran, ['kept'])
})

t.test('after restore tasks run as usual, and those captured can still be run', async (t) => {
  const { app, capture, ran } = await createScene(t)
  app.backgroundTasks.add(() => {
    ran.push('captured')
    app.backgroundTasks.add(() => { ran.push('nested') })
  })
  capture.restore()
  app.backgroundTasks.add(() => { ran.push('usual') })
  await app.backgroundTasks.idle()
  t.same(ran, ['usual'])
  t.equal(capture.tasks.length, 1)
  await capture.run()
  await app.backgroundTasks.idle()
  t.same(ran, ['usual', 'captured', 'nested'])
  capture.restore()
})

t.test('restore of an earlier capture leaves a later one as it is', async (t) => {
  const { app, capture, ran } = await createScene(t)
  const later = captureTasks(app)
  capture.restore()
  app.backgroundTasks.add(() => { ran.push('captured') })
  await app.backgroundTasks.idle()
  t.equal(later.tasks.length, 1)
  t.same(ran, [])
  later.restore()
  app.backgroundTasks.add(() => { ran.push('usual') })
  await app.backgroundTasks.idle()
  t.same(ran, ['usual'])
})

t.test('tasks added before the capture run as usual', async (t) => {
  const app = await createApp(t)
  await app.ready()
  const ran: unknown[] = []
  const { promise, resolve } = createLatch()
  app.backgroundTasks.add(async () => {
    await promise
    ran.push('before')
  })
  const capture = captureTasks(app)
  resolve()
  await app.backgroundTasks.idle()
  t.same(ran, ['before'])
  t.same(capture.tasks, [])
})

t.test('a registered task that is captured is not stored, and runs with its payload', async (t) => {
  const engine = createEngine()
  const ran: unknown[] = []
  const work = defineTask({ name: 'work', payload: {}, handler (payload, task) { ran.push([payload, task.attempt]) } })
  const { app, capture } = await createScene(t, (app) => {
    app.get('/', async (request) => {
      const payload = { list: [1] }
      request.backgroundTasks.add(work, payload, { key: 'k', delay: 60_000, priority: 1 })
      payload.list.push(2)
      await request.backgroundTasks.flush()
      return request.backgroundTasks.size
    })
  }, { engine, tasks: [work] })
  t.equal((await app.inject('/')).body, '0')
  t.strictSame(capture.tasks.map(({ request, ...rest }) => rest), [
    { name: 'work', args: [{ list: [1] }], options: { key: 'k', delay: 60_000, priority: 1 } }
  ])
  await capture.run()
  t.same(ran, [[{ list: [1] }, 1]])
  t.same(engine.batches, [])
})

t.test('waitUntil is not captured: its work is under way', async (t) => {
  const { app, capture } = await createScene(t)
  const task = app.backgroundTasks.waitUntil(Promise.resolve('done'))
  await app.backgroundTasks.idle()
  t.equal(task.result, 'done')
  t.same(capture.tasks, [])
})

t.test('a captured task that cancels itself, or is cancelled while it runs, is no failure', async (t) => {
  const { app, capture } = await createScene(t)
  app.backgroundTasks.add({}, (task: Task) => {
    task.cancel()
    return new Promise(() => {})
  })
  await capture.run()
  t.match(app.backgroundTasks.stats(), { cancelled: 1, failed: 0 })
})

t.test('captureTasks on a child instance captures the tasks of the whole app', async (t) => {
  const app = await createApp(t)
  let child!: FastifyInstance
  await app.register(async (instance) => { child = instance })
  app.get('/', async (request) => { request.backgroundTasks.add(() => {}) })
  const capture = captureTasks(child)
  await app.inject('/')
  t.equal(capture.tasks.length, 1)
})

t.test('capture of one app leaves another alone', async (t) => {
  const { capture } = await createScene(t)
  const other = await createApp(t)
  await other.ready()
  const task = other.backgroundTasks.add(() => {})
  await other.backgroundTasks.idle()
  t.equal(task.state, 'completed')
  t.same(capture.tasks, [])
})

t.test('a captured task that is cancelled leaves the list and does not run', async (t) => {
  const { app, capture, ran } = await createScene(t)
  const [first, second, third] = ['first', 'second', 'third'].map((name) => app.backgroundTasks.add({ name }, () => { ran.push(name) })) as [Task, Task, Task]
  t.equal(second.cancel('not needed'), true)
  t.equal(second.state, 'cancelled')
  t.match(second.error, { code: 'FST_BGT_CANCELLED', cause: 'not needed' })
  t.equal(second.signal.aborted, true)
  t.same(capture.tasks.map(({ name }) => name), ['first', 'third'])
  t.equal(second.cancel(), false)
  t.equal(await app.backgroundTasks.cancel(third.id), true)
  t.same(capture.tasks.map(({ name }) => name), ['first'])
  await capture.run()
  await app.backgroundTasks.idle()
  t.same(ran, ['first'])
  t.same([first, second, third].map(({ state }) => state), ['completed', 'cancelled', 'cancelled'])
  t.match(app.backgroundTasks.stats(), { waiting: 0, completed: 1, cancelled: 2 })
  t.match(await app.backgroundTasks.get(second.id), { state: 'cancelled' })
  t.equal(first.cancel(), false)
})

t.test('a captured task of a request, and a registered one, are cancelled before and after the response', async (t) => {
  const work = defineTask({ name: 'work', payload: {}, handler () { t.fail('it was cancelled') } })
  const engine = createEngine()
  const tasks: Task[] = []
  const { app, capture } = await createScene(t, (app) => {
    app.get('/', async (request) => {
      tasks.push(...[1, 2].flatMap(() => [request.backgroundTasks.add(() => { t.fail('it was cancelled') }), request.backgroundTasks.add(work, {})]))
      t.same(tasks.slice(0, 2).map((task) => task.cancel()), [true, true])
      return request.backgroundTasks.size
    })
  }, { engine, tasks: [work] })
  t.equal((await app.inject('/')).body, '0')
  t.equal(capture.tasks.length, 2)
  t.same(tasks.slice(2).map((task) => task.cancel()), [true, true])
  t.same(capture.tasks, [])
  await capture.run()
  t.same(tasks.map(({ state }) => state), Array(4).fill('cancelled'))
  t.same(engine.batches, [])
})

t.test('a captured task can be cancelled by one that runs, or once it was cleared', async (t) => {
  const { app, capture, ran } = await createScene(t)
  app.backgroundTasks.add(() => { ran.push(next.cancel()) })
  const next = app.backgroundTasks.add(() => { ran.push('next') })
  await capture.run()
  t.same(ran, [true])
  const cleared = app.backgroundTasks.add(() => { ran.push('cleared') })
  capture.clear()
  t.equal(cleared.cancel(), true)
  t.equal(cleared.state, 'cancelled')
})

t.test('clear of a request drops its captured tasks, and no others', async (t) => {
  const engine = createEngine()
  const work = defineTask({ name: 'work', payload: {}, handler () { t.fail('it was cleared') } })
  const { app, capture, ran } = await createScene(t, (app, ran) => {
    app.get('/keeps', async (request) => { request.backgroundTasks.add(function kept () { ran.push('kept') }) })
    app.get('/clears', async (request) => {
      const { backgroundTasks } = request
      const first = backgroundTasks.add(() => { t.fail('it was cleared') })
      const second = backgroundTasks.add(work, {})
      t.equal(backgroundTasks.clear(), 2)
      t.equal(backgroundTasks.clear(), 0)
      for (const { state, error } of [first, second]) t.match({ state, error }, { state: 'cancelled', error: { code: 'FST_BGT_CANCELLED', cause: 'cleared' } })
      backgroundTasks.add(function later () { ran.push('later') })
    })
  }, { engine, tasks: [work] })
  const { tasks } = capture
  await app.inject('/keeps')
  await app.inject('/clears')
  t.same(tasks.map(({ name }) => name), ['kept', 'later'])
  t.match(app.backgroundTasks.stats(), { waiting: 0, cancelled: 2 })
  await capture.run()
  t.same(ran, ['kept', 'later'])
})

t.test('clear drops tasks added before the capture, and captured ones also once it has ended or another has begun', async (t) => {
  const { app, capture } = await createScene(t, (app) => {
    app.get('/', async (request) => {
      const { backgroundTasks } = request
      const add = (): Task => backgroundTasks.add(() => { t.fail('it was cleared') })
      const tasks = [add()]
      const other = captureTasks(app)
      tasks.push(add())
      other.restore()
      tasks.push(add())
      t.equal(backgroundTasks.clear(), 3)
      t.same(other.tasks, [])
      return tasks.map(({ state }) => state)
    })
  })
  t.same((await app.inject('/')).json(), Array(3).fill('cancelled'))
  t.same(capture.tasks, [])
  await app.backgroundTasks.idle()
})

t.test('run does not wait for the delays of retries', async (t) => {
  const { app, capture } = await createScene(t)
  // Timers that nobody lets pass.
  useFakeTimers(t)
  const attempts: Array<[string, number]> = []
  const retry = { retries: 2, delay: 60_000, jitter: false, retryIf: (error: unknown) => (error as Error).message === 'again' }
  const flaky = defineTask({
    name: 'flaky',
    payload: {},
    retry,
    handler (payload, { name, attempt }) {
      attempts.push([name, attempt])
      if (attempt < 3) throw new Error('again')
    }
  })
  app.backgroundTasks.add(flaky, {})
  app.backgroundTasks.add({ name: 'hopeless', retry }, ({ name, attempt }: Task) => {
    attempts.push([name, attempt])
    throw new Error(attempt < 2 ? 'again' : 'enough')
  })
  await t.rejects(capture.run(), { errors: [{ message: 'enough' }] })
  t.same(attempts, [['flaky', 1], ['flaky', 2], ['flaky', 3], ['hopeless', 1], ['hopeless', 2]])
  t.match(app.backgroundTasks.stats(), { completed: 1, failed: 1, retries: 3 })
})

t.test('captureTasks on an app without the plugin says so', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const expected = { code: 'FST_BGT_INVALID_OPTIONS', message: /^captureTasks must be given an app with the plugin registered and loaded, received / }
  t.throws(() => captureTasks(app), expected)
  t.throws(() => captureTasks(undefined as never), expected)
  app.register(backgroundTasks)
  t.throws(() => captureTasks(app), expected)
  await app.ready()
  t.same(captureTasks(app).tasks, [])
})
