import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { tickId } from '../../lib/stored/tick-id.js'
import { createApp } from '../support/app.js'
import { useFakeDate } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { type Log, createLog } from '../support/log.js'
import { SharedStore } from '../support/shared-store.js'
import { type Handler, named } from '../support/stored-app.js'
import { turnUntil } from '../support/turns.js'

const idAt = (time: string): string => tickId('work', Date.parse(time))

/** Apps on one store, of which the last is no worker. All have a task that is due every ten seconds. */
async function createApps (t: Test, handler: Handler): Promise<{ apps: FastifyInstance[], logs: Log[], store: SharedStore, tick: (ms: number) => void }> {
  const { tick } = useFakeDate(t, '2026-01-01T00:00:00Z')
  const store = new SharedStore()
  const apps: FastifyInstance[] = []
  const logs: Log[] = []
  for (const worker of [true, true, true, false]) {
    const log = createLog()
    const tasks = [named(handler, { schedule: { cron: '*/10 * * * * *' } })]
    const app = await createApp(t, { engine: store.createEngine(), tasks, worker }, { logger: log.logger })
    await app.ready()
    apps.push(app)
    logs.push(log)
  }
  return { apps, logs, store, tick }
}

t.test('of several processes that see a tick, one adds its task, and all can ask for it', async (t) => {
  const ran: string[] = []
  const { apps, store, tick } = await createApps(t, (payload, { id }) => { ran.push(id) })
  const ids = ['2026-01-01T00:00:10Z', '2026-01-01T00:00:20Z'].map(idAt)
  for (const id of ids) {
    tick(10_000)
    for (const app of apps) await app.backgroundTasks.idle()
    await turnUntil(() => store.entries.get(id)?.snapshot.finishedAt !== undefined)
  }
  t.same(ran, ids)
  t.same([...store.entries.keys()], ids)
  for (const app of apps) t.match(await app.backgroundTasks.get(ids[0]!), { name: 'work', state: 'completed' })
})

t.test('a tick is passed over in every process while the task of an earlier one is unfinished in any', async (t) => {
  const gate = createLatch()
  const ran: string[] = []
  const { apps, logs, store, tick } = await createApps(t, async (payload, { id }) => {
    ran.push(id)
    await gate.promise
  })
  tick(10_000)
  await turnUntil(() => ran.length > 0)
  tick(10_000)
  await turnUntil(() => logs.slice(0, 3).every((log) => log.taskLines().length > 0))
  for (const [index, log] of logs.entries()) {
    t.same(log.taskLines(), index === 3
      ? []
      : [{
          level: 'debug',
          msg: 'tick of a background task passed over: the task of an earlier tick is unfinished',
          task: 'work',
          taskId: idAt('2026-01-01T00:00:20Z')
        }])
  }
  gate.resolve()
  const [first, , third] = ['10', '20', '30'].map((second) => idAt(`2026-01-01T00:00:${second}Z`))
  await turnUntil(() => store.entries.get(first!)?.snapshot.finishedAt !== undefined)
  tick(10_000)
  await turnUntil(() => store.entries.get(third!)?.snapshot.finishedAt !== undefined)
  for (const app of apps) await app.backgroundTasks.idle()
  t.same(ran, [first, third])
})
