import t from 'tap'
import { createApp } from '../support/app.js'
import { createLog } from '../support/log.js'

const forever = (): Promise<never> => new Promise(() => {})

t.test('close that leaves 150 000 tasks names a hundred and says how many more', async (t) => {
  const log = createLog('error')
  const app = await createApp(t, { closeTimeout: 0, concurrency: 1 }, { logger: log.logger })
  const first = app.backgroundTasks.waitUntil(forever(), { name: 'first' })
  app.get('/', async ({ backgroundTasks }) => {
    for (let index = 0; index < 150_000; index++) backgroundTasks.add({ name: `task ${index}` }, forever)
    return 'ok'
  })
  await app.inject('/')
  await app.close()
  const [line, ...others] = log.taskLines()
  t.same(others, [])
  t.match(line, { level: 'error', msg: 'background tasks left unfinished', more: 150_001 - 100 })
  const tasks = line?.tasks as Array<{ name: string, id: string, reqId: string, state: string }>
  t.equal(tasks.length, 100)
  t.match(tasks[0], { name: /^task \d+$/, id: /^[-0-9a-f]{36}$/, reqId: 'req-1', state: 'cancelled' })
  t.equal(new Set(tasks.map(({ id }) => id)).size, 100)
  t.equal(first.state, 'failed')
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0, failed: 2, cancelled: 149_999 })
})

for (const left of [99, 100, 101]) {
  t.test(`a close line of ${left} tasks names ${Math.min(left, 100)} of them`, async (t) => {
    const log = createLog('error')
    const app = await createApp(t, { closeTimeout: 0 }, { logger: log.logger })
    for (let index = 0; index < left; index++) app.backgroundTasks.waitUntil(forever())
    await app.close()
    const [{ tasks, more }] = log.taskLines() as unknown as [{ tasks: unknown[], more: unknown }]
    t.equal(tasks.length, Math.min(left, 100))
    t.equal(more, left > 100 ? left - 100 : undefined)
  })
}
