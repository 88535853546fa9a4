import { once } from 'node:events'
import t from 'tap'
import backgroundTasks, { type Task } from '../../index.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1 } from '../support/transports.js'
import { turnUntil } from '../support/turns.js'

const requests = 50

for (const mode of ['one after the other', 'pipelined'] as const) {
  t.test(`${requests} requests on one connection, ${mode}, bring no listener warning and leave no listener`, async (t) => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => { warnings.push(warning) }
    process.on('warning', onWarning)
    t.teardown(() => { process.off('warning', onWarning) })

    const app = overHttp1.create()
    t.teardown(() => app.close())
    await app.register(backgroundTasks)
    const listeners: number[] = []
    const outcomes: unknown[] = []
    app.get('/', async (request) => {
      request.backgroundTasks.add({}, (task: Task) => { outcomes.push(task.response?.outcome) })
      listeners.push(request.raw.socket.listenerCount('close'))
      return 'hello'
    })

    const client = await RawClient.connect(app)
    for (let n = 1; n <= requests; n++) {
      client.send('GET', '/')
      if (mode === 'one after the other') await client.receive('hello', n)
    }
    await client.receive('hello', requests)
    await app.backgroundTasks.idle({ timeout: 3000 })
    await turnUntil(() => outcomes.length === requests)

    t.same(new Set(outcomes), new Set(['sent']))
    t.equal(listeners.length, requests)
    if (mode === 'one after the other') t.same(new Set(listeners).size, 1, 'the number of listeners does not grow')
    client.socket.destroy()
    await once(client.socket, 'close')
    t.same(warnings, [])
    t.equal(outcomes.length, requests, 'the end of the connection changes nothing')
  })
}

t.test('a connection that dies while it is idle changes nothing', async (t) => {
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  const outcomes: unknown[] = []
  app.get('/', async (request) => {
    request.backgroundTasks.add({}, (task: Task) => { outcomes.push(task.response?.outcome) })
    return 'hello'
  })
  const client = await RawClient.connect(app)
  client.send('GET', '/')
  await client.receive('hello')
  await app.backgroundTasks.idle({ timeout: 3000 })
  client.socket.resetAndDestroy()
  await app.close()
  t.same(outcomes, ['sent'])
})
