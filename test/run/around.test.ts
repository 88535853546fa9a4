import { AsyncLocalStorage } from 'node:async_hooks'
import t, { type Test } from 'tap'
import { type Around, type BackgroundTasksOptions, type NamedTask, type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createLatch } from '../support/latch.js'
import { createDistantEngine } from '../support/engine.js'
import { type Log, createLog } from '../support/log.js'
import { createThreadApp, fileTask } from '../support/threads.js'

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
const misuse = (received: string): object => ({
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
