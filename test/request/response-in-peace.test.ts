import { once } from 'node:events'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { createLog } from '../support/log.js'
import { transports } from '../support/transports.js'
import { nextTurn, turnUntil } from '../support/turns.js'

for (const transport of transports) {
  t.test(`over ${transport.name}, the request is logged as completed, and onResponse hooks run, before a task starts`, async (t) => {
    const log = createLog('info')
    const events: string[] = []
    const logged = (): boolean => log.lines.some(({ msg }) => msg === 'request completed')
    const app = transport.create({ logger: log.logger })
    t.teardown(() => app.close())
    app.addHook('onResponse', async () => { events.push('earlier hook') })
    await app.register(backgroundTasks)
    app.addHook('onResponse', (_request, _reply, done) => {
      events.push('later hook')
      done()
    })
    app.get('/', async (request) => {
      request.backgroundTasks.add(() => { events.push(`task, ${logged() ? 'after' : 'before'} the line`) })
      return 'hello'
    })
    t.match(await transport.call(app, {}), { status: 200 })
    await app.backgroundTasks.idle({ timeout: 3000 })
    t.same(events, ['earlier hook', 'later hook', 'task, after the line'])
  })

  t.test(`over ${transport.name}, a task that never ends delays neither onResponse hooks nor the next request`, async (t) => {
    const log = createLog('info')
    const app = transport.create({ logger: log.logger })
    t.teardown(() => app.close())
    await app.register(backgroundTasks, { closeTimeout: 0 })
    let hooks = 0
    app.addHook('onResponse', async () => {
      await nextTurn()
      hooks++
    })
    app.get('/', async (request) => {
      request.backgroundTasks.add({}, async (task) => { await once(task.signal, 'abort') })
      return 'hello'
    })
    for (const times of [1, 2, 3]) {
      t.match(await transport.call(app, {}), { status: 200, body: 'hello' })
      await turnUntil(() => hooks === times)
    }
    await turnUntil(() => log.lines.filter(({ msg }) => msg === 'request completed').length === 3)
    t.match(app.backgroundTasks.stats(), { active: 3 })
    t.same(log.lines.filter(({ level }) => level === 'error'), [])
  })

  t.test(`over ${transport.name}, a failing task changes neither the reply nor the log line of its request`, async (t) => {
    const log = createLog('info')
    const app = transport.create({ logger: log.logger })
    t.teardown(() => app.close())
    await app.register(backgroundTasks)
    let handled = 0
    app.setErrorHandler(async () => { handled++ })
    app.get('/', async (request) => {
      request.backgroundTasks.add({ name: 'fails' }, () => { throw new Error('no') })
      return 'hello'
    })
    t.match(await transport.call(app, {}), { status: 200, body: 'hello' })
    await app.backgroundTasks.idle({ timeout: 3000 })
    t.equal(handled, 0)
    t.match(log.lines.filter(({ msg }) => msg === 'request completed'), [{ level: 'info', res: { statusCode: 200 } }])
    t.match(log.taskLines(), [{ level: 'error', reqId: 'req-1', task: 'fails' }])
  })
}
