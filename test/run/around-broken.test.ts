import t from 'tap'
import { type Around, type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createLatch } from '../support/latch.js'
import { type Log, createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const noLuck = new RangeError('no luck')
const givenUp = 'background task failed after it had been given up'
const messagesOf = (log: Log): string[] => log.taskLines().map(({ level, msg }) => `${level}: ${msg}`)

t.test('of two calls of run at once one runs the function, and the other rejects', async (t) => {
  let runs = 0
  const settled: unknown[] = []
  const app = await createApp(t, {
    async around (task, run) {
      for (const { status, ...more } of await Promise.allSettled([run(), run(), run()])) settled.push([status, 'value' in more ? more.value : more.reason.code])
    }
  })
  const task = app.backgroundTasks.add(async () => ++runs)
  await app.backgroundTasks.idle()
  t.same(settled, [['fulfilled', 1], ['rejected', 'FST_BGT_INVALID_OPTIONS'], ['rejected', 'FST_BGT_INVALID_OPTIONS']])
  t.match(task, { state: 'completed', result: 1 })
})

t.test('an around that throws while its function goes on has failed, and holds nothing up', async (t) => {
  const log = createLog()
  const late = createLatch()
  const app = await createApp(t, {
    concurrency: 1,
    async around (task, run) {
      run()
      if (task.name === 'first') throw noLuck
    }
  }, { logger: log.logger })
  const first = app.backgroundTasks.add({ name: 'first' }, async () => {
    await late.promise
    throw new Error('late')
  })
  const second = app.backgroundTasks.add({ name: 'second' }, () => 2)
  await app.backgroundTasks.idle()
  t.match([first, second], [{ state: 'failed', error: noLuck }, { state: 'completed', result: 2 }])
  late.resolve()
  await nextTurn()
  t.match(first, { state: 'failed', error: noLuck })
  t.same(messagesOf(log), ['error: background task failed', 'debug: background task completed', `debug: ${givenUp}`])
  t.match(log.taskLines()[2], { task: 'first', err: { message: 'late' } })
})

t.test('a task is over when its around is, and the next one of its request starts then', async (t) => {
  const ended = createLatch()
  const events: string[] = []
  const app = await createApp(t, {
    async around ({ name }, run) {
      await run()
      if (name === 'first') await ended.promise
      events.push(`${name} is over`)
    }
  })
  const tasks: Task[] = []
  app.get('/', async ({ backgroundTasks }) => {
    for (const name of ['first', 'second']) tasks.push(backgroundTasks.add({ name }, () => { events.push(`${name} runs`) }))
  })
  await app.inject('/')
  await turnUntil(() => events.length === 1)
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  t.same(tasks.map(({ state }) => state), ['active', 'waiting'])
  ended.resolve()
  await app.backgroundTasks.idle()
  t.same(events, ['first runs', 'first is over', 'second runs', 'second is over'])
})

t.test('what around throws is retried as what the function throws, and a failure of around too', async (t) => {
  for (const [fails, expected] of [[noLuck, noLuck], [undefined, { code: 'FST_BGT_INVALID_OPTIONS' }]] as const) {
    const asked: unknown[] = []
    const retryIf = (error: unknown): boolean => asked.push(error) > 0
    const app = await createApp(t, {
      async around ({ attempt }, run) {
        if (attempt === 3) return await run()
        if (fails !== undefined) throw fails
      }
    })
    const task = app.backgroundTasks.add({ retry: { retries: 2, delay: 0, retryIf } }, () => 42)
    await app.backgroundTasks.idle()
    t.match(task, { state: 'completed', attempt: 3, result: 42 })
    t.match(asked, [expected, expected])
  }
})

t.test('an around that never settles is named at close, and what it does later is no matter', async (t) => {
  const log = createLog()
  const late = createLatch()
  let again!: () => Promise<unknown>
  const app = await createApp(t, {
    async around (task, run) {
      again = run
      await late.promise
      throw noLuck
    }
  }, { logger: log.logger })
  const task = app.backgroundTasks.add({ name: 'work' }, () => { t.fail('its attempt is over') })
  await turnUntil(() => task.state === 'active')
  await app.close()
  t.match(task, { state: 'failed', error: { code: 'FST_BGT_CLOSING' } })
  t.match(log.lines, [{ level: 'error', msg: 'background tasks left unfinished', tasks: [{ name: 'work', state: 'active' }] }])
  late.resolve()
  await t.rejects(again(), { code: 'FST_BGT_INVALID_OPTIONS', message: /received a call after the attempt was over$/ })
  await nextTurn()
  t.same(messagesOf(log), ['error: background tasks left unfinished', `debug: ${givenUp}`])
})

t.test('an around that fails after its task was cancelled, or has run out of time, is one debug line', async (t) => {
  for (const end of ['cancel', 'timeout']) {
    const log = createLog()
    const late = createLatch()
    const app = await createApp(t, {
      async around (task, run) {
        await run()
        await late.promise
        throw noLuck
      }
    }, { logger: log.logger })
    const task = app.backgroundTasks.add({ ...(end === 'timeout' && { timeout: 5 }) }, () => { if (end === 'cancel') setImmediate(() => task.cancel()) })
    await app.backgroundTasks.idle()
    late.resolve()
    await nextTurn()
    t.same(messagesOf(log), [end === 'cancel' ? 'info: background task cancelled' : 'error: background task failed', `debug: ${givenUp}`])
  }
})

const hostile: Array<[title: string, around: Around, expected: object]> = [
  ['a thenable that throws', (task, run) => { run(); return { then () { throw noLuck } } }, { state: 'failed', error: noLuck }],
  ['a thenable that settles twice', (task, run) => { run(); return { then (resolve: () => void, reject: (error: unknown) => void) { resolve(); reject(noLuck) } } },
    { state: 'completed', result: 42 }],
  ['a getter of then that throws', (task, run) => { run(); return { get then () { throw noLuck } } }, { state: 'failed', error: noLuck }],
  ['a promise that never settles', (task, run) => run().then(() => new Promise(() => {})), { state: 'failed', error: { code: 'FST_BGT_TIMEOUT' } }],
  ['undefined thrown', () => { throw undefined }, { state: 'failed', error: undefined }] // eslint-disable-line no-throw-literal
]
for (const [title, around, expected] of hostile) {
  t.test(`an around that gives ${title} settles its attempt once`, async (t) => {
    const app = await createApp(t, { around, timeout: 50 })
    const task = app.backgroundTasks.add(() => 42)
    await app.backgroundTasks.idle()
    t.match(task, expected)
    t.match(app.backgroundTasks.stats(), { active: 0, [task.state]: 1 })
  })
}

t.test('an around that swallows the failure of the one inside it makes the attempt a completed one', async (t) => {
  const seen: unknown[] = []
  const work = defineTask({ name: 'work', payload: {}, result: {}, around () { throw noLuck }, handler: () => 42 })
  const app = await createApp(t, { around: async (task, run) => { await run().catch((error) => seen.push(error)) }, tasks: [work] })
  await app.ready()
  const task = app.backgroundTasks.add(work, {})
  await app.backgroundTasks.idle()
  t.match(task, { state: 'completed', result: undefined })
  t.same(seen, [noLuck])
})
