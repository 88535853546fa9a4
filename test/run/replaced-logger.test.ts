import t from 'tap'
import { defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createLog } from '../support/log.js'

const fail = (): void => { throw new Error('no') }

for (const place of ['preHandler', 'onSend'] as const) {
  t.test(`lines of tasks use the logger that a later ${place} hook has set`, async (t) => {
    const log = createLog()
    const app = await createApp(t, {}, { logger: log.logger })
    app.addHook('onRequest', async ({ backgroundTasks }) => {
      backgroundTasks.add({ name: 'own line' }, ({ log }) => { log.info('own line of background tasks') })
      backgroundTasks.add(fail)
    })
    app.addHook(place as 'preHandler', async (request) => { request.log = request.log.child({ tenant: 'a' }) })
    app.get('/', async () => 'ok')
    await app.inject('/')
    await app.backgroundTasks.idle()
    const lines = log.taskLines()
    t.equal(lines.length, 3)
    for (const line of lines) t.match(line, { reqId: 'req-1', tenant: 'a' })
  })
}

t.test('task.log that was read before a hook set another logger is not kept', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  app.get('/', async (request) => {
    const task = request.backgroundTasks.add({}, ({ log }) => { log.info('in background tasks') })
    task.log.info('first of background tasks')
    request.log = request.log.child({ tenant: 'a' })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  const [first, second] = log.taskLines()
  t.equal(first?.tenant, undefined)
  t.match(second, { tenant: 'a', msg: 'in background tasks' })
})

const work = defineTask({ name: 'work', payload: {}, handler: fail })

t.test('a registered task that fails before the response is over uses the logger of that moment', async (t) => {
  const log = createLog()
  const app = await createApp(t, { tasks: [work] }, { logger: log.logger })
  app.get('/', async (request) => {
    const { backgroundTasks } = request
    request.log = request.log.child({ tenant: 'a' })
    backgroundTasks.add(work, {})
    await backgroundTasks.flush()
    await app.backgroundTasks.idle()
    return 'ok'
  })
  await app.inject('/')
  t.match(log.taskLines(), [{ msg: 'background task failed', tenant: 'a' }])
})
