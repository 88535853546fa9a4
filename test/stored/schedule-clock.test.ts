import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { BackgroundTasksOptions } from '../../index.js'
import type { AppTasks } from '../../lib/app/app-tasks.js'
import { Registry } from '../../lib/named/registry.js'
import { pluginOptions } from '../../lib/options/plugin-options.js'
import { AppList } from '../../lib/request/app-list.js'
import { Schedules } from '../../lib/stored/schedule.js'
import { tickId } from '../../lib/stored/tick-id.js'
import { History } from '../../lib/task/history.js'
import { createApp } from '../support/app.js'
import { useFakeDate } from '../support/clock.js'
import { type Handler, named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const start = '2026-01-01T00:00:00Z'
const LOOK_MS = 1
const idAt = (time: string): string => tickId('work', Date.parse(time))

/** Schedules with one task, which look at the clock all the time. Gives the ids of the tasks that they add. */
async function startSchedules (t: Test, cron: string): Promise<string[]> {
  const registry = new Registry(pluginOptions({}).route)
  registry.register([named(() => {}, { schedule: { cron } })])
  const schedules = new Schedules(registry, new History(0), LOOK_MS)
  await schedules.load()
  const added: string[] = []
  schedules.start({ log: {} as FastifyBaseLogger, addTick: (definition, payload, id) => added.push(id) > 0 })
  t.teardown(() => { schedules.stop() })
  return added
}

/** Resolves when the schedules have looked at the clock: Node.js calls intervals of the same length in the order set. */
async function looked (): Promise<void> {
  await new Promise<void>((resolve) => {
    const interval = setInterval(() => {
      clearInterval(interval)
      resolve()
    }, LOOK_MS)
  })
}

t.test('a clock that is set ahead is noticed, and what it has passed over by more than a minute is not made up', async (t) => {
  const { set } = useFakeDate(t, start)
  const added = await startSchedules(t, '0 * * * *')
  set('2026-01-01T05:30:00Z')
  await looked()
  t.same(added, [])
  set('2026-01-01T06:00:30Z')
  await turnUntil(() => added.length > 0)
  t.same(added, [idAt('2026-01-01T06:00:00Z')])
})

t.test('a clock that is set back is noticed', async (t) => {
  const { set, tick } = useFakeDate(t, start)
  const added = await startSchedules(t, '0 0 1 1 *')
  set('2025-12-31T23:59:59Z')
  await looked()
  tick(1000)
  t.same(added, [idAt(start)])
})

t.test('ticks go on after fake timers have been thrown away with what they held', async (t) => {
  const { setTimeout } = globalThis
  t.teardown(() => { globalThis.setTimeout = setTimeout })
  globalThis.setTimeout = (() => ({ unref () {} })) as never
  const added = await startSchedules(t, '* * * * * *')
  globalThis.setTimeout = setTimeout
  await turnUntil(() => added.length > 0)
})

t.test('no timer is longer than those of Node.js can be', async (t) => {
  const delays: number[] = []
  useFakeDate(t, '2026-03-02T00:00:00Z')
  const { setTimeout } = globalThis
  t.intercept(globalThis, 'setTimeout', {
    value: (fn: () => void, ms: number) => {
      delays.push(ms)
      return setTimeout(fn, ms)
    }
  })
  const added = await startSchedules(t, '0 0 29 2 *')
  await nextTurn()
  t.ok(delays.length > 0 && delays.every((ms) => ms === 2 ** 31 - 1), String(delays))
  t.same(added, [])
})

/** An app on the engine in memory with one task, whose schedules look at the clock all the time. */
async function createScheduledApp (t: Test, handler: Handler, options: BackgroundTasksOptions = {}): Promise<FastifyInstance> {
  const app = await createApp(t, { tasks: [named(handler, { schedule: { cron: '*/10 * * * * *' } })], ...options })
  await app.ready()
  const { services } = app.backgroundTasks as AppTasks
  services.schedules.stop()
  const schedules = new Schedules(services.registry, services.history, LOOK_MS)
  await schedules.load()
  schedules.start(new AppList(services, pluginOptions({}).route, { server: app, log: app.log }))
  t.teardown(() => { schedules.stop() })
  return app
}

t.test('a tick that comes again, as the clock was set back, does not run again', async (t) => {
  const { tick, set } = useFakeDate(t, start)
  const ran: string[] = []
  const app = await createScheduledApp(t, (payload, { id }) => { ran.push(id) })
  const first = idAt('2026-01-01T00:00:10Z')
  tick(10_000)
  await app.backgroundTasks.idle()
  t.same(ran, [first])
  set(start)
  await looked()
  tick(10_000)
  await app.backgroundTasks.idle()
  t.same(ran, [first])
  tick(10_000)
  await app.backgroundTasks.idle()
  t.same(ran, [first, idAt('2026-01-01T00:00:20Z')])
})

t.test('a tick that comes again leaves no task that waits for ever, where only the engine remembers the first one', async (t) => {
  const { tick, set } = useFakeDate(t, start)
  const ran: string[] = []
  const app = await createScheduledApp(t, (payload, { id }) => { ran.push(id) }, { history: 1 })
  tick(10_000)
  await app.backgroundTasks.idle()
  // In the history of the process, a function whose id was read takes the place of the task.
  t.ok(app.backgroundTasks.add(() => {}).id)
  await app.backgroundTasks.idle()
  set(start)
  await looked()
  tick(10_000)
  await nextTurn()
  t.equal(app.backgroundTasks.stats().waiting, 0)
  t.same(ran, [idAt('2026-01-01T00:00:10Z')])
})
