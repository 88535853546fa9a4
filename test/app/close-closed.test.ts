import { once } from 'node:events'
import fastify from 'fastify'
import t from 'tap'
import backgroundTasks, { errors } from '../../index.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1 } from '../support/transports.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const closedError = { code: 'FST_BGT_CLOSED', statusCode: 503 }

t.test('after close app.backgroundTasks.add throws FST_BGT_CLOSED and adds nothing', async (t) => {
  const app = fastify()
  await app.register(backgroundTasks)
  await app.close()
  t.throws(() => app.backgroundTasks.add(() => {}), closedError)
  t.throws(() => app.backgroundTasks.add({ name: 'x' }, () => {}), new errors.FST_BGT_CLOSED('x'))
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0 })
  await app.backgroundTasks.idle()
})

t.test('after close waitUntil takes charge of the rejection, then throws FST_BGT_CLOSED', async (t) => {
  const rejections: unknown[] = []
  const onRejection = (error: unknown): void => { rejections.push(error) }
  process.on('unhandledRejection', onRejection)
  t.teardown(() => { process.off('unhandledRejection', onRejection) })
  const log = createLog()
  const app = fastify({ logger: log.logger })
  await app.register(backgroundTasks)
  await app.close()
  t.throws(() => app.backgroundTasks.waitUntil(Promise.reject(new Error('lost'))), closedError)
  await turnUntil(() => log.taskLines().length > 0)
  await nextTurn()
  t.same(rejections, [])
  t.match(log.taskLines(), [{ level: 'error', msg: 'background task failed', err: { message: 'lost' } }])
})

for (const begin of ['with', 'without']) {
  t.test(`a handler, ${begin} earlier tasks, that adds once its client and its app have gone gets FST_BGT_CLOSED`, async (t) => {
    const released = createLatch()
    const caught = createLatch<unknown>()
    const app = overHttp1.create()
    await app.register(backgroundTasks)
    let ran = 0
    app.get('/', async (request) => {
      if (begin === 'with') request.backgroundTasks.add(() => { ran++ })
      client.socket.destroy()
      await once(request.raw.socket, 'close')
      await released.promise
      try {
        request.backgroundTasks.add(() => { ran += 10 })
      } catch (error) {
        caught.resolve(error)
      }
      return 'hello'
    })
    const client = await RawClient.connect(app)
    client.send('GET', '/')
    await client.closed()
    await app.close()
    released.resolve()
    t.match(await caught.promise, closedError)
    t.equal(ran, begin === 'with' ? 1 : 0)
  })
}

t.test('an injected request that outlives its app replies 503', async (t) => {
  const released = createLatch()
  const begun = createLatch()
  const app = fastify()
  await app.register(backgroundTasks)
  app.get('/', async (request) => {
    begun.resolve()
    await released.promise
    request.backgroundTasks.add(() => {})
    return 'hello'
  })
  const answer = app.inject('/')
  await begun.promise
  await app.close()
  released.resolve()
  t.match((await answer).json(), { statusCode: 503, code: 'FST_BGT_CLOSED' })
})

t.test('close resolves on an app that never had a task', async (t) => {
  const log = createLog()
  const app = fastify({ logger: log.logger })
  await app.register(backgroundTasks)
  await app.ready()
  await app.close()
  t.same(log.taskLines(), [])
})
