import t from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

t.test('past its timeout an attempt has failed, its signal is aborted and the list moves on', async (t) => {
  const log = createLog()
  const errors: unknown[] = []
  const app = await createApp(t, { onError: (error) => { errors.push(error) } }, { logger: log.logger })
  const tick = useFakeTimers(t)
  const started = createLatch()
  const never = createLatch()
  const next = createLatch()
  const tasks: Task[] = []
  let signal!: AbortSignal
  app.get('/', async (request) => {
    tasks.push(request.backgroundTasks.add({ name: 'hangs', timeout: 100 }, (task) => {
      signal = task.signal
      started.resolve()
      return never.promise
    }))
    request.backgroundTasks.add(() => { next.resolve() })
    return 'ok'
  })
  await app.inject('/')
  await started.promise
  tick(99)
  await nextTurn()
  t.equal(tasks[0]?.state, 'active')
  t.equal(signal.aborted, false)
  tick(1)
  t.equal(signal.aborted, true)
  t.equal(tasks[0]?.state, 'failed')
  await next.promise
  const expected = { name: 'FastifyError', code: 'FST_BGT_TIMEOUT', message: 'task "hangs" timed out after 100 ms' }
  t.match(signal.reason, expected)
  t.equal(tasks[0]?.error, signal.reason)
  t.same(errors, [signal.reason])
  t.match(tasks[0]?.toJSON(), { state: 'failed', error: expected })
  t.match(log.taskLines()[0], { level: 'error', task: 'hangs', err: { code: 'FST_BGT_TIMEOUT' } })
  await app.backgroundTasks.idle()
})

t.test('the timeout starts with the attempt, not with add', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const started = createLatch()
  const release = createLatch()
  let task!: Task
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => release.promise)
    task = request.backgroundTasks.add({ timeout: 100 }, () => {
      started.resolve()
      return release.promise
    })
    tick(1000)
    return 'ok'
  })
  await app.inject('/')
  tick(1000)
  t.equal(task.state, 'waiting')
  release.resolve()
  await started.promise
  await app.backgroundTasks.idle()
  t.equal(task.state, 'completed')
})

t.test('each attempt has the whole timeout', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const never = createLatch()
  const reasons: unknown[] = []
  const task = app.backgroundTasks.add({ timeout: 100, retry: { retries: 2, delay: 0 } }, (task) => {
    task.signal.addEventListener('abort', () => { reasons.push(task.signal.reason.code) })
    return never.promise
  })
  for (const attempt of [1, 2, 3]) {
    await turnUntil(() => task.state === 'active' && task.attempt === attempt)
    tick(99)
    t.equal(task.state, 'active')
    tick(1)
    t.equal(task.state, attempt < 3 ? 'delayed' : 'failed')
    tick(1)
  }
  t.same(reasons, ['FST_BGT_TIMEOUT', 'FST_BGT_TIMEOUT', 'FST_BGT_TIMEOUT'])
  t.match(task.error, { code: 'FST_BGT_TIMEOUT' })
  await app.backgroundTasks.idle()
})

t.test('what a timed out function does later counts for nothing', async (t) => {
  const log = createLog()
  const app = await createApp(t, { concurrency: 1 }, { logger: log.logger })
  const tick = useFakeTimers(t)
  const late = [createLatch<string | Promise<string>>(), createLatch<string | Promise<string>>()]
  const tasks = late.map((latch, index) =>
    app.backgroundTasks.add({ name: `late ${index}`, timeout: 10 }, () => latch.promise))
  for (const task of tasks) {
    await turnUntil(() => task.state === 'active')
    tick(10)
  }
  await app.backgroundTasks.idle()
  const stats = app.backgroundTasks.stats()
  log.lines.length = 0
  late[0]?.resolve('value')
  late[1]?.resolve(Promise.reject(new Error('late')))
  await nextTurn()
  t.same(app.backgroundTasks.stats(), stats)
  t.same(tasks.map(({ state, result }) => [state, result]), [['failed', undefined], ['failed', undefined]])
  t.match(log.taskLines(), [{ level: 'debug', task: 'late 1', err: { message: 'late' } }])
  t.equal(log.taskLines().length, 1)
})

t.test('the outcome of a timed out attempt is not taken for that of the next one', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const attempts = [createLatch<string>(), createLatch<string>()]
  const task = app.backgroundTasks.add({ timeout: 10, retry: { retries: 1, delay: 5, jitter: false } }, (task) =>
    attempts[task.attempt - 1]?.promise)
  await turnUntil(() => task.state === 'active')
  tick(10)
  tick(5)
  await turnUntil(() => task.attempt === 2)
  attempts[0]?.resolve('first')
  await nextTurn()
  t.equal(task.state, 'active')
  attempts[1]?.resolve('second')
  await app.backgroundTasks.idle()
  t.equal(task.result, 'second')
})

t.test('a task that ends in time leaves no timer behind', async (t) => {
  const app = await createApp(t, { timeout: 60_000 })
  const timeouts = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
  await app.ready()
  const before = timeouts()
  app.backgroundTasks.add(() => {})
  app.backgroundTasks.add(async () => { await nextTurn() })
  app.backgroundTasks.add(() => { throw new Error('fails') })
  app.backgroundTasks.add(() => new Promise(() => {})).cancel()
  const hanging = app.backgroundTasks.add(() => new Promise(() => {}))
  await turnUntil(() => hanging.state === 'active' && app.backgroundTasks.stats().active === 1)
  t.equal(timeouts(), before + 1)
  hanging.cancel()
  await app.backgroundTasks.idle()
  t.equal(timeouts(), before)
})

t.test('a synchronous function cannot be interrupted: it completes however long it takes', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add({ timeout: 1 }, () => {
    const end = performance.now() + 5
    while (performance.now() < end);
    return 'done'
  })
  await app.backgroundTasks.idle()
  await nextTurn()
  t.equal(task.result, 'done')
  t.equal(task.signal.aborted, false)
})

t.test('a function that stops when its signal aborts fails with the timeout', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const tick = useFakeTimers(t)
  const started = createLatch()
  const task = app.backgroundTasks.add({ timeout: 10 }, (task) => new Promise((_resolve, reject) => {
    task.signal.addEventListener('abort', () => { reject(new Error('stopped')) })
    started.resolve()
  }))
  await started.promise
  tick(10)
  await app.backgroundTasks.idle()
  await nextTurn()
  t.match(task.error, { code: 'FST_BGT_TIMEOUT' })
  t.same(log.taskLines().map(({ level }) => level), ['error', 'debug'])
})
