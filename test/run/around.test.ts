import { AsyncLocalStorage } from 'node:async_hooks'
import t, { type Test } from 'tap'
import { type Around, type BackgroundTasksOptions, type NamedTask, type Task, defineTask } from '../../index.js'
import { captureTasks } from '../../lib/testing.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { createDistantEngine } from '../support/engine.js'
import { type Log, createLog } from '../support/log.js'
import { Slots, createThreadApp, fileTask } from '../support/threads.js'
import { nextTurn } from '../support/turns.js'

/** Runs one task with this `around` of the plugin. */
async function run (
  t: Test, around: Around, fn: (task: Task) => unknown, options: BackgroundTasksOptions = {}
): Promise<{ task: Task, log: Log }> {
  const log = createLog()
  const app = await createApp(t, { around, ...options }, { logger: log.logger })
  const task = app.backgroundTasks.add({ name: 'work' }, fn)
  await app.backgroundTasks.idle()
  return { task, log }
}

const noLuck = new RangeError('no luck')
const fail = (): void => { throw noLuck }
const misuse = (received: string): { code: string, message: string } => ({
  code: 'FST_BGT_INVALID_OPTIONS',
  message: `option "around" must call run once for each attempt of task "work", received ${received}`
})

const outcomes: Array<[title: string, around: Around, fn: (task: Task) => unknown, expected: object]> = [
  ['the result of the function, whatever around returns', async (task, run) => { await run() }, () => 42, { state: 'completed', result: 42 }],
  ['the result of an async function', (task, run) => run().then(() => 'other'), async () => 42, { state: 'completed', result: 42 }],
  ['the result, where around does not wait for run', (task, run) => { run().catch(() => {}) }, () => 42, { state: 'completed', result: 42 }],
  ['none, where around settles before the function', (task, run) => { run().catch(() => {}) }, () => new Promise(() => {}), { state: 'completed', result: undefined }],
  ['the error of the function, which run rejects with', (task, run) => run(), fail, { state: 'failed', error: noLuck }],
  ['the error that an async function rejects with', async (task, run) => { await run() }, async () => fail(), { state: 'failed', error: noLuck }],
  ['none, where around swallows the error', (task, run) => run().catch(() => 'swallowed'), fail, { state: 'completed', result: undefined }],
  ['what around throws', fail, () => 42, { state: 'failed', error: noLuck }],
  ['what around throws after the function', async (task, run) => { await run(); fail() }, () => 42, { state: 'failed', error: noLuck }],
  ['what around rejects with', () => Promise.reject(noLuck), () => 42, { state: 'failed', error: noLuck }],
  ['an error, where around does not call run', () => 42, () => 42, { state: 'failed', error: misuse('no call') }]
]

for (const [title, around, fn, expected] of outcomes) {
  t.test(`an attempt ends with ${title}`, async (t) => {
    t.match((await run(t, around, fn)).task, expected)
  })
}

t.test('a second call of run rejects, and runs nothing', async (t) => {
  let runs = 0
  let second: unknown
  const { task } = await run(t, async (task, run) => {
    await run()
    second = await run().catch((error) => error)
  }, () => ++runs)
  t.match(second, misuse('another call'))
  t.equal(runs, 1)
  t.match(task, { state: 'completed', result: 1 })
})

t.test('a call of run after the attempt is over rejects, and runs nothing, even if nobody looks at it', async (t) => {
  const late: unknown[] = []
  let again!: () => Promise<unknown>
  const { task } = await run(t, async (task, run) => {
    again = run
    await run()
  }, () => 42)
  again().catch((error) => late.push(error))
  again()
  await new Promise(setImmediate)
  t.match(late, [misuse('a call after the attempt was over')])
  t.match(task, { state: 'completed', result: 42 })
})

t.test('a call of run by an attempt that has timed out, or was cancelled, rejects, and runs nothing', async (t) => {
  for (const end of ['timeout', 'cancel']) {
    const released = createLatch()
    const rejected = createLatch<unknown>()
    const app = await createApp(t, {
      async around (task, run) {
        if (end === 'cancel') setImmediate(() => task.cancel())
        await released.promise
        await run().catch(rejected.resolve)
      }
    })
    const task = app.backgroundTasks.add({ name: 'work', ...(end === 'timeout' && { timeout: 5 }) }, () => { t.fail('its attempt is over') })
    await app.backgroundTasks.idle()
    released.resolve()
    t.match(await rejected.promise, misuse('a call after the attempt was over'))
    t.match(task, end === 'timeout' ? { state: 'failed', error: { code: 'FST_BGT_TIMEOUT' } } : { state: 'cancelled' })
  }
})

t.test('a call of run by an attempt that has timed out rejects, and runs nothing, while the next attempt runs', async (t) => {
  const runs: number[] = []
  let first!: () => Promise<unknown>
  const app = await createApp(t, {
    timeout: 50,
    retry: { retries: 1, delay: 0 },
    async around (task, run) {
      if (task.attempt === 1) {
        first = run
        await new Promise(() => {})
      }
      await t.rejects(first(), misuse('a call after the attempt was over'))
      await run()
    }
  })
  const task = app.backgroundTasks.add({ name: 'work' }, () => { runs.push(task.attempt) })
  await app.backgroundTasks.idle()
  t.match(task, { state: 'completed', attempt: 2 })
  t.same(runs, [2])
})

t.test('an error after around has settled is logged as that of an attempt that was given up', async (t) => {
  const released = createLatch()
  const { task, log } = await run(t, (task, run) => { run() }, async () => {
    await released.promise
    fail()
  })
  t.match(task, { state: 'completed', result: undefined })
  released.resolve()
  await new Promise(setImmediate)
  t.match(log.taskLines().at(-1), { level: 'debug', msg: 'background task failed after it had been given up', err: { message: 'no luck' } })
})

t.test('around runs once for each attempt, with the task', async (t) => {
  const attempts: unknown[] = []
  const app = await createApp(t, {
    around (task, run) {
      attempts.push([task, task.attempt])
      return run()
    }
  })
  const task = app.backgroundTasks.add({ retry: { retries: 2, delay: 1 } }, () => { fail() })
  await app.backgroundTasks.idle()
  t.equal(task.state, 'failed')
  t.strictSame(attempts, [[task, 1], [task, 2], [task, 3]])
})

t.test('around is inside the timeout', async (t) => {
  const { task } = await run(t, () => new Promise(() => {}), () => {}, { timeout: 5 })
  t.match(task, { state: 'failed', error: { code: 'FST_BGT_TIMEOUT' } })
})

t.test('around runs in the async context of add, and the function in that of around', async (t) => {
  const storage = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const app = await createApp(t, {
    around (task, run) {
      seen.push(storage.getStore())
      return storage.run('around', run)
    }
  })
  storage.run('add', () => app.backgroundTasks.add(() => { seen.push(storage.getStore()) }))
  await app.backgroundTasks.idle()
  t.same(seen, ['add', 'around'])
})

t.test('around is not for promises that are only waited for', async (t) => {
  const app = await createApp(t, { around: () => { t.fail('nothing runs') } })
  const task = app.backgroundTasks.waitUntil(Promise.resolve(42))
  await app.backgroundTasks.idle()
  t.match(task, { state: 'completed', result: 42 })
})

for (const [title, isRegistered, options] of [
  ['that is not registered', false, {}],
  ['on the engine in memory', true, {}],
  ['on an engine that processes share', true, { engine: createDistantEngine() }]
] as Array<[string, boolean, BackgroundTasksOptions]>) {
  t.test(`around of the plugin runs around that of a named task ${title}`, async (t) => {
    const events: string[] = []
    const note = (name: string): Around => async (task, run) => {
      events.push(`${name} begins`)
      await run()
      events.push(`${name} ends`)
    }
    const work: NamedTask = defineTask({ name: 'work', payload: {}, around: note('task'), handler () { events.push('handler') } })
    const app = await createApp(t, { around: note('plugin'), ...options, tasks: isRegistered ? [work] : [] })
    await app.ready()
    app.backgroundTasks.add(work, {})
    await app.backgroundTasks.idle()
    while (events.length < 5) await new Promise(setImmediate)
    t.same(events, ['plugin begins', 'task begins', 'handler', 'task ends', 'plugin ends'])
  })
}

t.test('around runs around a task with a file, in the main thread', async (t) => {
  const seen: unknown[] = []
  const work = fileTask('double.js', { result: {} })
  const app = await createThreadApp(t, {
    around: async (task, run) => { seen.push(await run()) }
  })
  app.backgroundTasks.add(work, { n: 21 })
  await app.backgroundTasks.idle()
  t.same(seen, [42])
})

t.test('an around that is no function is refused', async (t) => {
  await t.rejects(createApp(t, { around: 1 } as object), { code: 'FST_BGT_INVALID_OPTIONS', message: 'option "around" must be a function, received 1' })
  t.throws(() => defineTask({ name: 'work', payload: {}, handler () {}, around: 'no' } as never),
    { code: 'FST_BGT_INVALID_OPTIONS', message: 'option "around" must be a function, received "no"' })
})

t.test('a late error inside an inner around is logged, and the outer one decides on the attempt', async (t) => {
  const log = createLog()
  const [failed, committed] = [createLatch(), createLatch()]
  const work = defineTask({
    name: 'work',
    payload: {},
    retry: { retries: 1, delay: 1 },
    around (task, run) { run() },
    async handler () {
      await failed.promise
      fail()
    }
  })
  const events: string[] = []
  const app = await createApp(t, {
    async around (task, run) {
      events.push(`begins ${task.attempt}`)
      await run()
      failed.resolve()
      await committed.promise
      events.push(`ends ${task.attempt}`)
    }
  }, { logger: log.logger })
  const task = app.backgroundTasks.add(work, {})
  await failed.promise
  await nextTurn()
  t.equal(task.state, 'active')
  committed.resolve()
  await app.backgroundTasks.idle()
  t.match(task, { state: 'completed', attempt: 1, result: undefined })
  t.same(events, ['begins 1', 'ends 1'])
  t.match(log.taskLines()[0], { level: 'debug', msg: 'background task failed after it had been given up', err: { message: 'no luck' } })
})

t.test('an around that never called run, and settles in the next attempt, is not blamed in it', async (t) => {
  const log = createLog()
  const late = createLatch()
  const app = await createApp(t, {
    timeout: 5,
    retry: { retries: 1, delay: 1 },
    async around (task, run) {
      if (task.attempt === 1) return await late.promise
      late.resolve()
      await nextTurn()
      await run()
    }
  }, { logger: log.logger })
  const task = app.backgroundTasks.add(() => 42)
  await app.backgroundTasks.idle()
  t.match(task, { state: 'completed', attempt: 2, result: 42 })
  t.same(log.taskLines().map(({ msg }) => msg), ['background task failed, will be retried', 'background task completed'])
})

t.test('around of a task with a file is inside its timeout, before the call and after it', async (t) => {
  for (const [hangs, around] of [
    ['before', () => new Promise(() => {})],
    ['after', async (task, run) => { await run().then(() => new Promise(() => {})) }]
  ] as Array<[string, Around]>) {
    const app = await createThreadApp(t, { around })
    const task = app.backgroundTasks.add(fileTask('double.js', { timeout: 200 }), { n: 21 })
    await app.backgroundTasks.idle()
    t.match(task, { state: 'failed', error: { code: 'FST_BGT_TIMEOUT' } }, hangs)
  }
})

t.test('a task with a file does not run out of time while it waits for a thread, with an around either', async (t) => {
  const slots = new Slots()
  const app = await createThreadApp(t, { around: (task, run) => run(), threads: { workerData: slots.workerData } })
  const first = app.backgroundTasks.add(fileTask('hold.js'), {})
  await slots.untilStarted(1)
  const tick = useFakeTimers(t)
  const waiting = app.backgroundTasks.add(fileTask('double.js', { timeout: 50, result: {} }), { n: 21 })
  while (waiting.state !== 'active') await nextTurn()
  tick(1000)
  await nextTurn()
  t.equal(waiting.state, 'active')
  slots.release()
  await app.backgroundTasks.idle()
  t.equal(first.state, 'completed')
  t.match(waiting, { state: 'completed', result: 42 })
})

t.test('around of the plugin is that of a route with options of its own, and of captured tasks', async (t) => {
  const names: string[] = []
  const app = await createApp(t, {
    around (task, run) {
      names.push(task.name)
      return run()
    }
  })
  app.get('/', { config: { backgroundTasks: { timeout: 5000, requestConcurrency: 2 } } }, async (request) => {
    request.backgroundTasks.add({ name: 'of a route' }, () => {})
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  const captured = captureTasks(app)
  app.backgroundTasks.add({ name: 'captured' }, () => {})
  await captured.run()
  t.same(names, ['of a route', 'captured'])
})
