import t from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { collectGarbage } from '../support/garbage.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

t.test('a waiting task that is cancelled never runs', async (t) => {
  const log = createLog()
  const app = await createApp(t, { onError: () => { t.fail('a cancelled task is no failure') } }, { logger: log.logger })
  const ran: string[] = []
  let task!: Task
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => { ran.push('a') })
    task = request.backgroundTasks.add(() => { ran.push('cancelled') })
    request.backgroundTasks.add(() => { ran.push('b') })
    const { size } = request.backgroundTasks
    return { size, effect: task.cancel('not needed'), state: task.state, sizeAfter: request.backgroundTasks.size }
  })
  const response = await app.inject('/')
  t.same(response.json(), { size: 3, effect: true, state: 'cancelled', sizeAfter: 2 })
  await app.backgroundTasks.idle()
  t.same(ran, ['a', 'b'])
  t.match(task.error, {
    name: 'FastifyError',
    code: 'FST_BGT_CANCELLED',
    message: 'task "anonymous" was cancelled',
    cause: 'not needed'
  })
  t.equal(task.result, undefined)
  t.equal(task.attempt, 1)
  t.notOk('startedAt' in task.toJSON())
  t.match(app.backgroundTasks.stats(), { cancelled: 1, completed: 2, failed: 0 })
})

t.test('the first, the last and all waiting tasks can be cancelled', async (t) => {
  const app = await createApp(t)
  const ran: number[] = []
  let cancel: number[] = []
  app.get('/', async (request) => {
    const tasks = [0, 1, 2].map((index) => request.backgroundTasks.add(() => { ran.push(index) }))
    for (const index of cancel) tasks[index]?.cancel()
    request.backgroundTasks.add(() => { ran.push(3) })
    return request.backgroundTasks.size
  })
  for (cancel of [[0], [2], [1, 0], [0, 1, 2], [2, 1]]) {
    const { body } = await app.inject('/')
    t.equal(Number(body), 4 - cancel.length)
    await app.backgroundTasks.idle()
    t.same(ran.splice(0), [0, 1, 2, 3].filter((index) => !cancel.includes(index)))
  }
})

t.test('cancelling an active task aborts its signal and the list moves on, though the function goes on', async (t) => {
  const log = createLog()
  const app = await createApp(t, {
    concurrency: 1, retry: { retries: 3, delay: 0 }, onError: () => { t.fail('a cancelled task is no failure') }
  }, { logger: log.logger })
  const started = createLatch<AbortSignal>()
  const next = createLatch()
  const release = createLatch<string>()
  const reason = { by: 'the user' }
  let task!: Task
  app.get('/', async (request) => {
    task = request.backgroundTasks.add({ name: 'export' }, (task) => {
      started.resolve(task.signal)
      return release.promise
    })
    request.backgroundTasks.add(() => { next.resolve() })
    return 'ok'
  })
  await app.inject('/')
  const signal = await started.promise
  t.equal(task.cancel(reason), true)
  t.equal(task.state, 'cancelled')
  t.equal(signal.aborted, true)
  t.match(signal.reason, { code: 'FST_BGT_CANCELLED', message: 'task "export" was cancelled' })
  t.equal(signal.reason.cause, reason)
  t.equal(task.error, signal.reason)
  await next.promise
  await app.backgroundTasks.idle()
  t.match(log.taskLines(), [{
    level: 'info', msg: 'background task cancelled', reqId: 'req-1', task: 'export', taskId: task.id, attempt: 1, reason
  }, { level: 'debug' }])
  t.equal(log.taskLines().length, 2)
  t.match(app.backgroundTasks.stats(), { cancelled: 1, completed: 1, active: 0, retries: 0 })

  release.resolve('late')
  await nextTurn()
  t.equal(task.state, 'cancelled')
  t.equal(task.result, undefined)
  t.match(app.backgroundTasks.stats(), { cancelled: 1, completed: 1 })
})

t.test('cancel without a reason has no cause', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(() => {})
  task.cancel()
  t.equal((task.error as Error).cause, undefined)
})

t.test('a cancelled function that rejects later is logged at debug, and nothing else', async (t) => {
  const log = createLog()
  const app = await createApp(t, { onError: () => { t.fail('a cancelled task is no failure') } }, { logger: log.logger })
  const release = createLatch<Promise<void>>()
  const task = app.backgroundTasks.add({ name: 'late' }, () => release.promise)
  await turnUntil(() => task.state === 'active')
  task.cancel()
  release.resolve(Promise.reject(new Error('late')))
  await nextTurn()
  t.match(log.taskLines(), [
    { level: 'info', msg: 'background task cancelled' },
    { level: 'debug', msg: 'background task failed after it had been given up', task: 'late', err: { message: 'late' } }
  ])
  t.equal(log.taskLines().length, 2)
})

t.test('the line of a late failure names the attempt that failed', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const late = createLatch<Promise<void>>()
  app.backgroundTasks.add({ timeout: 5, retry: { retries: 1, delay: 0 } }, ({ attempt }: Task) => attempt === 1 ? late.promise : undefined)
  await app.backgroundTasks.idle()
  late.resolve(Promise.reject(new Error('late')))
  await nextTurn()
  t.match(log.taskLines().at(-1), { msg: 'background task failed after it had been given up', attempt: 1, err: { message: 'late' } })
})

t.test('tasks that are cancelled while others hold all slots are kept nowhere, and cost no turn', async (t) => {
  const app = await createApp(t, { concurrency: 1, history: 0 })
  const release = createLatch()
  const running = app.backgroundTasks.add(() => release.promise)
  await turnUntil(() => running.state === 'active')
  const refs: Array<WeakRef<Task>> = []
  for (let index = 0; index < 1000; index++) {
    const task = app.backgroundTasks.add(() => {})
    refs.push(new WeakRef(task))
    task.cancel()
  }
  const next = app.backgroundTasks.add(() => {})
  await nextTurn()
  await nextTurn()
  collectGarbage()
  const kept = refs.filter((ref) => ref.deref() !== undefined).length
  t.ok(kept < 10, `${kept} kept`)
  release.resolve()
  await app.backgroundTasks.idle()
  t.equal(next.state, 'completed')
})

t.test('a task that cancels itself stays cancelled, whatever it returns or throws', async (t) => {
  const app = await createApp(t)
  const fns: Array<(task: Task) => unknown> = [
    (task) => task.cancel('by itself'),
    (task) => {
      task.cancel('by itself')
      throw new Error('thrown')
    },
    async (task) => {
      await nextTurn()
      return task.cancel('by itself')
    }
  ]
  const tasks = fns.map((fn) => app.backgroundTasks.add({}, fn))
  const next = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  await nextTurn()
  t.same(tasks.map(({ state }) => state), ['cancelled', 'cancelled', 'cancelled'])
  t.equal(next.state, 'completed')
  t.match(app.backgroundTasks.stats(), { cancelled: 3, completed: 1, failed: 0, active: 0 })
})

t.test('a task may cancel the one behind it', async (t) => {
  const app = await createApp(t)
  const tasks: Task[] = []
  const ran: string[] = []
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => { tasks[0]?.cancel() })
    tasks.push(request.backgroundTasks.add(() => { ran.push('cancelled') }))
    request.backgroundTasks.add(() => { ran.push('last') })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(ran, ['last'])
})

t.test('cancelling a delayed task ends its retries and lets the next task start', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const tick = useFakeTimers(t)
  let attempts = 0
  const next = createLatch()
  let task!: Task
  app.get('/', async (request) => {
    task = request.backgroundTasks.add({ retry: { retries: 5, delay: 100, jitter: false } }, () => {
      attempts++
      throw new Error('flaky')
    })
    request.backgroundTasks.add(() => { next.resolve() })
    return 'ok'
  })
  await app.inject('/')
  await turnUntil(() => task.state === 'delayed')
  t.equal(task.cancel('enough'), true)
  await next.promise
  tick(1000)
  await app.backgroundTasks.idle()
  await nextTurn()
  t.equal(attempts, 1)
  t.equal(task.state, 'cancelled')
  t.match(app.backgroundTasks.stats(), { cancelled: 1, completed: 1, delayed: 0, failed: 0 })
  t.same(log.taskLines().map(({ level }) => level), ['warn', 'info', 'debug'])
})

t.test('cancel has no effect on a task that has ended', async (t) => {
  const app = await createApp(t)
  const completed = app.backgroundTasks.add(() => 'result')
  const failed = app.backgroundTasks.add(() => { throw new Error('fails') })
  const cancelled = app.backgroundTasks.add(() => {})
  t.equal(cancelled.cancel('first'), true)
  await app.backgroundTasks.idle()
  for (const task of [completed, failed, cancelled]) t.equal(task.cancel('late'), false)
  t.same([completed, failed, cancelled].map(({ state }) => state), ['completed', 'failed', 'cancelled'])
  t.equal(completed.result, 'result')
  t.match(failed.error, { message: 'fails' })
  t.match(cancelled.error, { cause: 'first' })
  t.equal(completed.signal.aborted, false)
})

t.test('a signal that is read after the cancel is aborted', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(() => {})
  task.cancel('early')
  t.equal(task.signal.aborted, true)
  t.match(task.signal.reason, { code: 'FST_BGT_CANCELLED', cause: 'early' })
})

t.test('cancelling a waiting task aborts a signal that was read before', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(() => {})
  const { signal } = task
  t.equal(signal.aborted, false)
  task.cancel()
  t.equal(signal.aborted, true)
  t.equal(task.signal, signal)
})

t.test('an abort listener sees the task cancelled, and may add and cancel tasks', async (t) => {
  const app = await createApp(t)
  const other = app.backgroundTasks.add(() => { t.fail('a cancelled task has run') })
  const task = app.backgroundTasks.add(() => {})
  let added: Task | undefined
  task.signal.addEventListener('abort', () => {
    t.equal(task.state, 'cancelled')
    t.equal(task.cancel(), false)
    other.cancel()
    added = app.backgroundTasks.add(() => {})
  })
  task.cancel()
  await app.backgroundTasks.idle()
  t.equal(other.state, 'cancelled')
  t.equal(added?.state, 'completed')
})

t.test('the outcome of a cancelled task does not count for the tasks behind it', async (t) => {
  const app = await createApp(t, { requestConcurrency: 1 })
  const release = createLatch()
  let active = 0
  let most = 0
  let first!: Task
  app.get('/', async (request) => {
    first = request.backgroundTasks.add(() => release.promise)
    for (let index = 0; index < 3; index++) {
      request.backgroundTasks.add(async () => {
        most = Math.max(most, ++active)
        release.resolve()
        await nextTurn()
        active--
      })
    }
    return 'ok'
  })
  await app.inject('/')
  await turnUntil(() => first.state === 'active')
  first.cancel()
  await app.backgroundTasks.idle()
  t.equal(most, 1)
})
