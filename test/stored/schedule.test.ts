import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions, type NamedTask, defineTask } from '../../index.js'
import { SCHEDULE_KEY } from '../../lib/stored/tick.js'
import { tickId } from '../../lib/stored/tick-id.js'
import { captureTasks } from '../../lib/testing.js'
import { createApp } from '../support/app.js'
import { useFakeDate } from '../support/clock.js'
import { createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { type Log, createLog } from '../support/log.js'
import { type Handler, createStoredApp, named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const start = '2026-01-01T00:00:00Z'
const everyTenSeconds = { cron: '*/10 * * * * *' }
const overlap = 'tick of a background task passed over: the task of an earlier tick is unfinished'

function idAt (time: string, name = 'work'): string {
  return tickId(name, Date.parse(time))
}

interface ScheduledApp {
  app: FastifyInstance
  log: Log
  work: NamedTask
  tick: (ms: number) => void
}

/** An app that is ready at `start`, with a task that is due every ten seconds. */
async function createScheduledApp (t: Test, handler: Handler, options: BackgroundTasksOptions = {}): Promise<ScheduledApp> {
  const clock = useFakeDate(t, start)
  const log = createLog()
  const work = named(handler, { schedule: everyTenSeconds })
  const app = await createApp(t, { tasks: [work], ...options }, { logger: log.logger })
  await app.ready()
  return { app, log, work, ...clock }
}

t.test('a task with a schedule runs at each tick, with the payload of the schedule and its defaults', async (t) => {
  const { tick } = useFakeDate(t, start)
  const runs: unknown[] = []
  const work = defineTask({
    name: 'work',
    payload: { type: 'object', properties: { n: { default: 7 } } },
    schedule: { ...everyTenSeconds, payload: { word: 'hello' } },
    handler (payload, { id, response, log }) { runs.push([payload, id, response, 'info' in log]) }
  })
  const other = defineTask({ name: 'other', payload: {}, schedule: { cron: '* * * * *' }, handler (payload) { runs.push(payload) } })
  const app = await createApp(t, { tasks: [work, other] })
  await app.ready()
  tick(9_999)
  t.equal(app.backgroundTasks.stats().waiting, 0)
  tick(1)
  await app.backgroundTasks.idle()
  tick(10_000)
  await app.backgroundTasks.idle()
  t.same(runs, ['2026-01-01T00:00:10Z', '2026-01-01T00:00:20Z'].map((at) => [{ word: 'hello', n: 7 }, idAt(at), undefined, true]))
  for (let left = 4; left > 0; left--) {
    tick(10_000)
    await app.backgroundTasks.idle()
  }
  t.same(runs.length, 7)
  t.same(runs.at(-1), {})
  t.match(await app.backgroundTasks.get(idAt('2026-01-01T00:01:00Z', 'other')), { name: 'other', state: 'completed' })
})

t.test('a tick is a task like any other: stats, idle, retries and cancel', async (t) => {
  const gate = createLatch()
  let attempts = 0
  const clock = useFakeDate(t, start)
  const work = named(async () => {
    await gate.promise
    if (++attempts === 1) throw new Error('no luck')
  }, { schedule: everyTenSeconds, retry: { retries: 1, delay: 1 } })
  const cancelled = named(() => { t.fail('it was cancelled') }, { name: 'cancelled', schedule: everyTenSeconds })
  const app = await createApp(t, { tasks: [work, cancelled] })
  await app.ready()
  clock.tick(10_000)
  t.equal(await app.backgroundTasks.cancel(idAt('2026-01-01T00:00:10Z', 'cancelled')), true)
  t.match(app.backgroundTasks.stats(), { waiting: 1, cancelled: 1 })
  let isIdle = false
  const idle = app.backgroundTasks.idle().then(() => { isIdle = true })
  await turnUntil(() => app.backgroundTasks.stats().active === 1)
  t.equal(isIdle, false)
  gate.resolve()
  await turnUntil(() => app.backgroundTasks.stats().delayed === 1)
  clock.tick(1)
  await idle
  t.match(app.backgroundTasks.stats(), { completed: 1, retries: 1 })
})

t.test('a tick is passed over while the task of an earlier one is unfinished', async (t) => {
  let gate = createLatch()
  const ran: string[] = []
  const { app, log, work, tick } = await createScheduledApp(t, async (payload, { id }) => {
    ran.push(id)
    await gate.promise
  })
  // A task that somebody else adds is not the task of a tick.
  const manual = app.backgroundTasks.add(work, {}, { key: 'schedule' })
  tick(10_000)
  tick(10_000)
  await turnUntil(() => ran.length === 2)
  tick(10_000)
  t.same(ran, [manual.id, idAt('2026-01-01T00:00:10Z')])
  t.same(log.taskLines(), ['2026-01-01T00:00:20Z', '2026-01-01T00:00:30Z'].map((at) =>
    ({ level: 'debug', msg: overlap, task: 'work', taskId: idAt(at) })))
  gate.resolve()
  await app.backgroundTasks.idle()
  gate = createLatch()
  tick(10_000)
  await turnUntil(() => ran.length === 3)
  t.equal(ran[2], idAt('2026-01-01T00:00:40Z'))
  gate.resolve()
})

t.test('nobody can give the key of ticks', async (t) => {
  const { app, work, engine } = await createStoredApp(t, () => {}, { schedule: everyTenSeconds })
  await app.ready()
  for (const key of [SCHEDULE_KEY, SCHEDULE_KEY.trim().padEnd(201)]) {
    t.throws(() => app.backgroundTasks.add(work, {}, { key }), { code: 'FST_BGT_INVALID_OPTIONS', message: /^option "key" must be a string of 1 to 200 characters/ })
  }
  t.same(engine.batches, [])
})

t.test('a tick that comes between the beginning of close and its end adds nothing, whatever holds close up', async (t) => {
  const { tick } = useFakeDate(t, start)
  const gates = { request: createLatch(), task: createLatch(), hook: createLatch() }
  const reached: string[] = []
  const engine = createEngine()
  const log = createLog()
  const app = await createApp(t, { engine, tasks: [named(() => {}, { schedule: everyTenSeconds })], closeTimeout: 60_000 }, { logger: log.logger })
  app.get('/', async (request) => {
    reached.push('request')
    await gates.request.promise
    request.backgroundTasks.add(async () => {
      reached.push('task')
      await gates.task.promise
    })
  })
  app.addHook('onClose', async () => {
    reached.push('hook')
    await gates.hook.promise
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const replied = fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/`, { headers: { connection: 'close' } })
  await turnUntil(() => reached.length === 1)
  const closed = app.close()
  await nextTurn()
  for (const [index, gate] of Object.values(gates).entries()) {
    await turnUntil(() => reached.length === index + 1)
    tick(10_000)
    gate.resolve()
  }
  await Promise.all([replied, closed])
  tick(10_000)
  t.same(engine.batches, [])
  t.same(log.taskLines().map(({ msg }) => msg), ['background task completed'])
})

t.test('a full app passes the tick over with a warn line', async (t) => {
  const gate = createLatch()
  const ran: string[] = []
  const { app, log, tick } = await createScheduledApp(t, (payload, { id }) => { ran.push(id) }, { maxPending: 1 })
  app.backgroundTasks.waitUntil(gate.promise)
  tick(10_000)
  await nextTurn()
  t.match(log.taskLines(), [{
    level: 'warn',
    msg: 'tick of a background task passed over: no task can be added',
    task: 'work',
    taskId: idAt('2026-01-01T00:00:10Z'),
    err: { code: 'FST_BGT_FULL' }
  }])
  gate.resolve()
  await app.backgroundTasks.idle()
  t.same(ran, [])
  tick(10_000)
  t.throws(() => app.backgroundTasks.add(() => {}), { code: 'FST_BGT_FULL' })
  await app.backgroundTasks.idle()
  t.same(ran, [idAt('2026-01-01T00:00:20Z')])
})

t.test('a logger that throws stops no schedule', async (t) => {
  const { app, tick } = await createScheduledApp(t, () => {}, { maxPending: 1 })
  const broken = (): never => { throw new Error('no log') }
  Object.assign(app.log, { debug: broken, warn: broken })
  const gate = createLatch()
  app.backgroundTasks.waitUntil(gate.promise)
  tick(10_000)
  gate.resolve()
  await app.backgroundTasks.idle()
  tick(10_000)
  await app.backgroundTasks.idle()
  t.equal(app.backgroundTasks.stats().completed, 2)
})

t.test('ticks stop when close begins', async (t) => {
  const gate = createLatch()
  const began = createLatch()
  const { tick } = useFakeDate(t, start)
  const log = createLog()
  const work = named(() => { t.fail('the app closes') }, { schedule: everyTenSeconds })
  const app = await createApp(t, { tasks: [work], closeTimeout: 60_000 }, { logger: log.logger, pluginTimeout: 0 })
  app.addHook('preClose', async () => { began.resolve() })
  await app.ready()
  app.backgroundTasks.add(() => gate.promise)
  const closed = app.close()
  await began.promise
  tick(10_000)
  gate.resolve()
  await closed
  tick(10_000)
  t.same(log.taskLines().map(({ msg }) => msg), ['background task completed'])
})

t.test('ticks stop at the latest when tasks are waited for, if the preClose hook of another plugin fails', async (t) => {
  const { tick } = useFakeDate(t, start)
  const log = createLog()
  const app = Fastify({ logger: log.logger })
  app.addHook('preClose', async () => { throw new Error('no') })
  await app.register(backgroundTasks, { tasks: [named(() => {}, { schedule: everyTenSeconds })] })
  await app.listen({ host: '127.0.0.1', port: 0 })
  await t.rejects(app.close(), { message: 'no' })
  tick(10_000)
  t.same(log.taskLines(), [])
})

t.test('an app that closes before it is ready has no ticks', async (t) => {
  const { tick } = useFakeDate(t, start)
  const log = createLog()
  const app = await createApp(t, { tasks: [named(() => {}, { schedule: everyTenSeconds })] }, { logger: log.logger })
  const closed = createLatch()
  app.addHook('onReady', async () => { await closed.promise })
  const ready = app.ready()
  await app.close()
  closed.resolve()
  await ready
  tick(10_000)
  t.same(log.taskLines(), [])
})

t.test('a process that runs no stored tasks has no ticks, and knows the schedules', async (t) => {
  const engine = createEngine()
  const { app, tick } = await createScheduledApp(t, () => {}, { engine, worker: false })
  tick(10_000)
  await nextTurn()
  t.same(engine.batches, [])
  t.same(app.backgroundTasks.schedules(), [{ name: 'work', cron: '*/10 * * * * *', timezone: 'UTC', nextRunAt: '2026-01-01T00:00:20.000Z' }])
})

t.test('the schedule of a task that is not registered does nothing', async (t) => {
  const { tick } = useFakeDate(t, start)
  const work = named(() => {}, { schedule: { cron: 'nonsense' } })
  const app = await createApp(t)
  await app.ready()
  const task = app.backgroundTasks.add(work, {})
  tick(60_000)
  await app.backgroundTasks.idle()
  t.equal(task.state, 'completed')
  t.same(app.backgroundTasks.schedules(), [])
})

t.test('schedules() tells of each schedule when it is due, in the order registered, and what it is before the app is ready', async (t) => {
  useFakeDate(t, start)
  const app = await createApp(t, {
    tasks: [
      named(() => {}, { name: 'nightly', schedule: { cron: '0 3 * * *', timezone: 'Europe/Berlin' } }),
      named(() => {}),
      named(() => {}, { name: 'often', schedule: { cron: '* * * * * *' } })
    ]
  })
  const known = [{ name: 'nightly', cron: '0 3 * * *', timezone: 'Europe/Berlin' }, { name: 'often', cron: '* * * * * *', timezone: 'UTC' }]
  t.same(app.backgroundTasks.schedules(), known)
  await app.ready()
  const [nightly, often] = known
  t.same(app.backgroundTasks.schedules(), [
    { ...nightly, nextRunAt: '2026-01-01T02:00:00.000Z' }, { ...often, nextRunAt: '2026-01-01T00:00:01.000Z' }
  ])
})

t.test('a schedule that is registered too late to tick is refused, at the latest by ready', async (t) => {
  const refusal = {
    code: 'FST_BGT_INVALID_OPTIONS',
    message: 'option "schedule" must be that of a task registered before the app is ready, received that of task "late"'
  }
  const late = named(() => {}, { name: 'late', schedule: { cron: '* * * * * *' } })
  for (const worker of [true, false]) {
    const app = await createApp(t, { tasks: [named(() => {})], worker })
    app.addHook('onReady', async () => { app.backgroundTasks.register(late) })
    await t.rejects(async () => await app.ready(), refusal)
    t.same(app.backgroundTasks.schedules(), [])
  }
  const app = await createApp(t, { tasks: [named(() => {})] })
  await app.ready()
  t.throws(() => { app.backgroundTasks.register(late) }, refusal)
})

t.test('captured ticks do not run', async (t) => {
  const { app, tick } = await createScheduledApp(t, () => { t.fail('it was captured') })
  const { tasks } = captureTasks(app)
  tick(10_000)
  tick(10_000)
  t.match(tasks, [{ name: 'work', args: [{}], options: {}, request: undefined }, { name: 'work' }])
  await app.backgroundTasks.idle()
})

t.test('a tick that the engine does not store is a failed task', async (t) => {
  const failures: unknown[] = []
  const engine = createEngine(() => ({ add: async () => { throw new Error('no room') } }))
  const { app, tick } = await createScheduledApp(t, () => {}, { engine, onError (error, { id }) { failures.push([(error as Error).message, id]) } })
  tick(10_000)
  await app.backgroundTasks.idle()
  t.same(failures, [['background tasks could not be stored', idAt('2026-01-01T00:00:10Z')]])
})

t.test('no list shows the key of a tick, which nobody has given', async (t) => {
  const latch = createLatch()
  const { app, tick } = await createScheduledApp(t, () => latch.promise)
  tick(10_000)
  const states = ['active', 'completed'] as const
  await turnUntil(() => app.backgroundTasks.stats().active === 1)
  for (const state of states) {
    const { tasks } = await app.backgroundTasks.list({ state })
    t.match(tasks, [{ id: idAt('2026-01-01T00:00:10Z'), state }])
    t.notOk('key' in tasks[0]!, state)
    latch.resolve()
    await app.backgroundTasks.idle()
  }
})
