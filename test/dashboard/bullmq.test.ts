import t from 'tap'
import { defineTask } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { createScene } from '../support/dashboard.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { StoredProcesses } from '../support/stored-processes.js'

t.setTimeout(120_000)

/** As the process of the fixture knows it. */
const mark = defineTask({
  name: 'mark',
  payload: { type: 'object', properties: { id: { type: 'string' }, ms: { type: 'integer' } }, required: ['id', 'ms'] }
})

for (const store of ['Redis', 'PostgreSQL'] as const) {
  t.test(`a web process shows tasks that a worker process runs, over ${store}`, { skip: store === 'Redis' ? withoutRedis : withoutPostgres }, async (t) => {
    const server = store === 'Redis' ? await RedisServer.start() : await PostgresServer.start()
    t.teardown(() => server.stop())
    const options = server instanceof RedisServer ? { connection: server.connection } : { postgres: server.connectionString }
    const { app, look, act } = await createScene(t, {
      tasks: { tasks: [mark], engine: bullmqEngine(options), worker: false, storeTimeout: 10_000 },
      dashboard: { actions: true, payload: true }
    })
    app.post('/marks/:n', async (req, reply) => {
      req.backgroundTasks.add(mark, { id: 'short', ms: 30 })
      req.backgroundTasks.add(mark, { id: 'long', ms: 60_000 }, { key: 'long' })
      return await reply.code(202).send({})
    })
    const [overview, request] = [await look(), await look('request/1')]
    await overview.whole()
    t.equal((await app.inject({ method: 'POST', url: '/marks/7' })).statusCode, 202)
    await overview.until(({ counts, 'request:1': request }) => counts?.waiting === 2 && request?.lanes.filter(({ isElsewhere }) => isElsewhere).length === 2)
    t.match(overview.entries['request:1'], { route: '/marks/:n', lanes: [{ isElsewhere: true, state: 'waiting' }, { isElsewhere: true }] })

    const processes = new StoredProcesses(t, options)
    await processes.start('worker')
    const { request: shown } = await request.until(({ request }) => request?.lanes[0]?.state === 'completed' && request.lanes[1]?.state === 'active')
    t.match(shown!.lanes, [
      { name: 'mark', kind: 'registered', isElsewhere: true, attempts: [{ attempt: 1, outcome: 'completed' }], ended: Number },
      { name: 'mark', isElsewhere: true, attempts: [{ attempt: 1, from: Number }] }
    ])
    await overview.until(({ counts, 'name:mark': stats }) => counts?.completed === 1 && counts.active === 1 && stats?.counts.completed === 1)
    t.match(overview.entries['name:mark'], { where: 'elsewhere', typicalMs: Number, counts: { completed: 1 } })

    const active = await look('tasks/active')
    const { list } = await active.until(({ list }) => list?.ids.length === 1)
    const [id] = list!.ids
    t.match(active.entries[`task:${id}`], { where: 'stored', key: 'long', reqId: /^req-/, canCancel: true })
    const task = await look(`task/${id}`)
    await task.until(({ task }) => task?.payload)
    t.match(task.entries.task, { payload: { value: { id: 'long', ms: 60_000 } }, key: 'long', request: { number: 1, route: '/marks/:n' }, lane: { isElsewhere: true } })
    t.equal((await act(id!, 'cancel')).status, 200)
    await task.until(({ task }) => task?.state === 'cancelled' && task.canRetry)
    t.equal((await act(id!, 'retry')).status, 200)
    await task.until(({ task }) => task?.state === 'active')
    t.equal((await act(id!, 'cancel')).status, 200)
    await task.until(({ task }) => task?.state === 'cancelled')
    await app.close()
  })
}

t.test('Redis stops and comes back: the page says so, and goes on', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start('--appendonly', 'yes')
  t.teardown(() => redis.stop())
  const { app, look, ask } = await createScene(t, {
    tasks: { tasks: [mark], engine: bullmqEngine({ connection: redis.connection }), worker: false, storeTimeout: 2000 }
  })
  const clients = [await look(), await look('tasks/waiting')]
  for (const client of clients) t.notOk('store' in await client.whole())
  await redis.kill()
  app.backgroundTasks.add(() => {})
  for (const client of clients) t.match(await client.until(({ store }) => store), { store: { error: 'background tasks could not be asked for', since: Number } })
  t.equal((await ask('')).status, 200)
  await redis.start()
  for (const client of clients) await client.until(({ store }) => store === undefined)
  app.backgroundTasks.add(mark, { id: 'a', ms: 1 })
  await app.backgroundTasks.flush()
  await clients[0]!.until(({ counts }) => counts?.waiting === 1)
  await clients[1]!.until(({ list }) => list?.ids.length === 1)
  for (const client of clients) t.notOk(client.isOver)
})
