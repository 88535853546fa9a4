import { once } from 'node:events'
import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions, type RequestBackgroundTasks, type Task } from '../../index.js'
import { useFakeClock } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { type Line, createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

interface Scene {
  readonly app: FastifyInstance
  /** The lines about tasks left unfinished. */
  unfinished (): Line[]
  /** The other lines about tasks. */
  others (): Line[]
  /** What happened, in order. */
  readonly events: string[]
}

type Add = (backgroundTasks: RequestBackgroundTasks) => void

const message = 'background tasks left unfinished'

/** An app on which one request, `req-1`, has added tasks and been answered. */
async function createScene (add: Add, options: BackgroundTasksOptions = {}): Promise<Scene> {
  const log = createLog('info')
  const events: string[] = []
  const app = fastify({ logger: log.logger })
  app.addHook('onClose', async () => { events.push('closed') })
  await app.register(backgroundTasks, options)
  app.get('/', async (request) => {
    add(request.backgroundTasks)
    return 'hello'
  })
  await app.inject('/')
  return {
    app,
    unfinished: () => log.lines.filter(({ msg }) => msg === message),
    others: () => log.taskLines().filter(({ msg }) => msg !== message),
    events
  }
}

/** Starts to close and runs the clock down to closeTimeout. */
async function closeUntilTimeout (t: Test, { app }: Scene, timeoutMs: number): Promise<{ tick: (ms: number) => void, closed: Promise<void> }> {
  const { active } = app.backgroundTasks.stats()
  const preClosed = createLatch()
  const tick = useFakeClock(t)
  const closed = Promise.resolve(app.close())
  app.server.once('close', () => { preClosed.resolve() })
  await preClosed.promise
  for (let turns = 0; turns < 5; turns++) await nextTurn()
  tick(timeoutMs - 1)
  await nextTurn()
  t.equal(app.backgroundTasks.stats().active, active, 'until then nothing is stopped')
  tick(1)
  return { tick, closed }
}

/** Ends with the reason of its signal as soon as that aborts. */
async function untilAborted (task: Task): Promise<never> {
  if (!task.signal.aborted) await once(task.signal, 'abort')
  throw task.signal.reason
}

const forever = (): Promise<never> => new Promise(() => {})

for (const [title, options, timeoutMs] of [
  ['after 10 000 ms', {}, 10_000],
  ['after the closeTimeout it is given', { closeTimeout: 300 }, 300]
] as const) {
  t.test(`${title}, close aborts the signal of a running task with FST_BGT_CLOSING`, async (t) => {
    let task!: Task
    const failures: unknown[] = []
    const onError = (error: unknown): void => { failures.push(error) }
    const scene = await createScene((list) => { task = list.add({ name: 'obedient' }, untilAborted) }, { ...options, onError })
    await turnUntil(() => task.state === 'active')
    const { closed } = await closeUntilTimeout(t, scene, timeoutMs)
    await closed

    t.match(task, { state: 'failed', error: { code: 'FST_BGT_CLOSING', statusCode: 500 } })
    t.equal(task.signal.reason, task.error)
    t.same(failures, [task.error])
    t.same(scene.unfinished(), [], 'a task that ends in time is not left unfinished')
    t.match(scene.others(), [
      { level: 'error', msg: 'background task failed', task: 'obedient', reqId: 'req-1', err: { code: 'FST_BGT_CLOSING' } }
    ])
  })
}

t.test('a task that ends well after the abort is completed', async (t) => {
  let task!: Task
  const scene = await createScene((list) => {
    task = list.add({}, async (task) => {
      await untilAborted(task).catch(() => {})
      for (let turns = 0; turns < 5; turns++) await nextTurn()
      return 'saved'
    })
  }, { closeTimeout: 10 })
  await turnUntil(() => task.state === 'active')
  await scene.app.close()
  t.match(task, { state: 'completed', result: 'saved' })
  t.same(scene.unfinished(), [])
  t.same(scene.others(), [])
})

t.test('a task that ends before closeTimeout sees no abort', async (t) => {
  let task!: Task
  const scene = await createScene((list) => { task = list.add({}, async () => { await nextTurn() }) })
  await scene.app.close()
  t.equal(task.state, 'completed')
  t.notOk(task.signal.aborted)
})

t.test('a signal that is first read after the abort has aborted already', async (t) => {
  const released = createLatch()
  const reasons: unknown[] = []
  const scene = await createScene((list) => {
    list.add({}, async (task) => {
      await untilAborted(task).catch(() => {})
      released.resolve()
    })
    list.add({}, async (task) => {
      await released.promise
      reasons.push(task.signal.reason)
    })
  }, { closeTimeout: 10, requestConcurrency: 2 })
  await turnUntil(() => scene.app.backgroundTasks.stats().active === 2)
  await scene.app.close()
  t.match(reasons, [{ code: 'FST_BGT_CLOSING' }])
})

t.test('past closeTimeout tasks that have not started are cancelled, and one line names them', async (t) => {
  const tasks: Task[] = []
  let started = 0
  const scene = await createScene((list) => {
    tasks.push(list.add({ name: 'running' }, untilAborted))
    tasks.push(list.add({ name: 'waiting' }, () => { started++ }))
    tasks.push(list.add({ name: 'behind' }, () => { started++ }))
  }, { closeTimeout: 10 })
  await turnUntil(() => tasks[0]?.state === 'active')
  await scene.app.close()

  t.equal(started, 0)
  t.same(tasks.map(({ state }) => state), ['failed', 'cancelled', 'cancelled'])
  t.match(tasks[1]?.error, { code: 'FST_BGT_CLOSING' })
  t.same(scene.unfinished(), [{
    level: 'error',
    tasks: [
      { name: 'waiting', id: tasks[1]?.id, reqId: 'req-1', state: 'cancelled' },
      { name: 'behind', id: tasks[2]?.id, reqId: 'req-1', state: 'cancelled' }
    ],
    msg: message
  }])
  t.same(scene.others().map((line) => line.task), ['running'])
})

t.test('a task that ignores the abort is given one second, then named and left', async (t) => {
  let deaf!: Task
  const scene = await createScene((list) => {
    deaf = list.add({ name: 'deaf' }, async (task) => {
      task.signal.addEventListener('abort', () => { scene.events.push('aborted') })
      await forever()
    })
  }, { closeTimeout: 300 })
  await turnUntil(() => deaf.state === 'active')
  const { tick, closed } = await closeUntilTimeout(t, scene, 300)
  await turnUntil(() => scene.events.length > 0)
  for (let turns = 0; turns < 5; turns++) await nextTurn()
  tick(999)
  for (let turns = 0; turns < 5; turns++) await nextTurn()
  t.same(scene.events, ['aborted'])
  t.same(scene.unfinished(), [])

  tick(1)
  await closed
  t.same(scene.events, ['aborted', 'closed'])
  t.same(scene.unfinished(), [{
    level: 'error',
    tasks: [{ name: 'deaf', id: deaf.id, reqId: 'req-1', state: 'active' }],
    msg: message
  }])
  t.not(deaf.state, 'active', 'it counts for nothing any more')
  t.match(scene.app.backgroundTasks.stats(), { waiting: 0, active: 0, delayed: 0 })
})

t.test('what a task left behind throws later is no unhandled rejection', async (t) => {
  const released = createLatch()
  const rejections: unknown[] = []
  const onRejection = (error: unknown): void => { rejections.push(error) }
  process.on('unhandledRejection', onRejection)
  t.teardown(() => { process.off('unhandledRejection', onRejection) })
  const scene = await createScene((list) => {
    list.add(async function deaf () {
      await released.promise
      throw new Error('too late')
    })
  }, { closeTimeout: 0 })
  await turnUntil(() => scene.app.backgroundTasks.stats().active === 1)
  await scene.app.close()
  released.resolve()
  for (let turns = 0; turns < 5; turns++) await nextTurn()
  t.same(rejections, [])
  t.equal(scene.unfinished().length, 1)
  t.same(scene.others(), [], 'and no error line')
})

t.test('with closeTimeout 0 running tasks are aborted at once and waiting ones never start', async (t) => {
  const tasks: Task[] = []
  const scene = await createScene((list) => {
    tasks.push(list.add({ name: 'running' }, untilAborted))
    tasks.push(list.add({ name: 'waiting' }, () => {}))
  }, { closeTimeout: 0 })
  await turnUntil(() => tasks[0]?.state === 'active')
  await scene.app.close()
  t.same(tasks.map(({ state }) => state), ['failed', 'cancelled'])
})

t.test('one line names the tasks of all requests, of the app, and promises waited for', async (t) => {
  const tasks: Task[] = []
  const scene = await createScene((list) => {
    tasks.push(list.add({ name: 'deaf' }, forever))
    tasks.push(list.waitUntil(forever(), { name: 'promise' }))
  }, { closeTimeout: 10 })
  await scene.app.inject('/')
  tasks.push(scene.app.backgroundTasks.add({ name: 'of the app' }, forever))
  tasks.push(scene.app.backgroundTasks.waitUntil(forever(), { name: 'promise of the app' }))
  await turnUntil(() => tasks.every(({ state }) => state === 'active'))
  await scene.app.close()

  const [line, ...more] = scene.unfinished()
  t.same(more, [])
  const byName = (tasks: unknown): object[] =>
    [...tasks as Array<{ name: string, id: string }>].sort((a, b) => (a.name + a.id).localeCompare(b.name + b.id))
  t.same(byName(line?.tasks), byName([
    { name: 'deaf', id: tasks[0]?.id, reqId: 'req-1', state: 'active' },
    { name: 'promise', id: tasks[1]?.id, reqId: 'req-1', state: 'active' },
    { name: 'deaf', id: tasks[2]?.id, reqId: 'req-2', state: 'active' },
    { name: 'promise', id: tasks[3]?.id, reqId: 'req-2', state: 'active' },
    { name: 'of the app', id: tasks[4]?.id, state: 'active' },
    { name: 'promise of the app', id: tasks[5]?.id, state: 'active' }
  ]))
})

t.test('the tasks of a request whose response never comes are cancelled and named', async (t) => {
  const log = createLog('info')
  const begun = createLatch<Task>()
  const app = fastify({ logger: log.logger })
  await app.register(backgroundTasks, { closeTimeout: 10 })
  app.get('/', (request, reply) => {
    reply.hijack()
    begun.resolve(request.backgroundTasks.add({ name: 'stuck' }, () => {}))
  })
  app.inject('/').catch(() => {})
  const task = await begun.promise
  await app.close()
  t.equal(task.state, 'cancelled')
  t.match(log.lines.filter(({ msg }) => msg === message), [{ tasks: [{ name: 'stuck', id: task.id, state: 'cancelled' }] }])
})

t.test('what an aborted task adds still has its second', async (t) => {
  const ran: string[] = []
  const scene = await createScene((list) => {
    list.add({}, async (task) => {
      await untilAborted(task).catch(() => {})
      list.add(() => { ran.push('quick') })
      list.add(async function slow () { await forever() })
    })
  }, { closeTimeout: 10 })
  await turnUntil(() => scene.app.backgroundTasks.stats().active === 1)
  await scene.app.close()
  t.same(ran, ['quick'])
  t.match(scene.unfinished(), [{ tasks: [{ name: 'slow', state: 'active' }] }])
})

t.test('a task in the backoff before a retry fails at once when the app closes', async (t) => {
  const failures: unknown[] = []
  let attempts = 0
  let task!: Task
  const onError = (error: unknown): void => { failures.push(error) }
  const scene = await createScene((list) => {
    task = list.add({ name: 'flaky', retry: { retries: 3, delay: 60_000, jitter: false } }, () => {
      throw new Error(`attempt ${++attempts}`)
    })
    list.add({ name: 'next' }, () => { attempts += 10 })
  }, { onError })
  await turnUntil(() => task.state === 'delayed')
  await scene.app.close()

  t.match(task, { state: 'failed', attempt: 1, error: { message: 'attempt 1' } })
  t.equal(attempts, 11, 'the task behind it has run')
  t.match(failures, [{ message: 'attempt 1' }])
  t.same(scene.others().map(({ level, msg, task }) => ({ level, msg, task })), [
    { level: 'warn', msg: 'background task failed, will be retried', task: 'flaky' },
    { level: 'error', msg: 'background task failed', task: 'flaky' }
  ])
  t.same(scene.unfinished(), [])
})

t.test('a task that fails while the app closes is not retried', async (t) => {
  const released = createLatch()
  let attempts = 0
  let task!: Task
  const scene = await createScene((list) => {
    task = list.add({ retry: { retries: 3, delay: 0 } }, async () => {
      attempts++
      await released.promise
      throw new Error('no')
    })
  })
  await turnUntil(() => attempts === 1)
  const closed = scene.app.close()
  await once(scene.app.server, 'close')
  released.resolve()
  await closed
  t.equal(attempts, 1)
  t.match(task, { state: 'failed', attempt: 1 })
  t.match(scene.others(), [{ level: 'error', msg: 'background task failed' }])
})

t.test('tasks that wait for a slot of the app all run before closeTimeout', async (t) => {
  let ran = 0
  const scene = await createScene((list) => {
    for (let n = 0; n < 20; n++) {
      list.add(async () => {
        await nextTurn()
        ran++
      })
    }
  }, { concurrency: 1, requestConcurrency: 20 })
  await Promise.all([scene.app.inject('/'), scene.app.inject('/')])
  await scene.app.close()
  t.equal(ran, 60)
  t.same(scene.unfinished(), [])
})
