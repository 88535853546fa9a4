import fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { Slots, fileTask, finalSnapshot, threadOptions } from '../support/threads.js'

const result = { type: 'object', properties: { id: { type: 'string' }, attempt: { type: 'integer' } } }
const where = fileTask('where.js', { result })
const report = fileTask('progress.js')
const loop = fileTask('loop.js', { timeout: 60_000 })

t.test('file tasks of a web process run in the threads of a worker', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())

  async function open (t: Test, queue: string, worker: boolean, slots = new Slots()): Promise<FastifyInstance> {
    const app = fastify()
    t.teardown(() => app.close())
    await app.register(backgroundTasks, {
      tasks: [where, report, loop],
      engine: bullmqEngine({ connection: redis.connection, queue }),
      worker,
      closeTimeout: 0,
      threads: { ...threadOptions, workerData: slots.workerData }
    })
    return app
  }

  t.test('with their progress and result', async (t) => {
    const web = await open(t, 'runs', false)
    await (await open(t, 'runs', true)).ready()
    const tasks = [web.backgroundTasks.add(where, {}), web.backgroundTasks.add(report, { values: [0.1, 0.9] })]
    await web.ready()
    const [ran, reported] = await Promise.all(tasks.map(({ id }) => finalSnapshot(web, id)))
    t.match(ran, { state: 'completed', result: { id: tasks[0]!.id, attempt: 1 } })
    t.match(reported, { state: 'completed', progress: 0.9 })
  })

  t.test('until they are cancelled from the web process', async (t) => {
    const slots = new Slots()
    const web = await open(t, 'cancel', false)
    await (await open(t, 'cancel', true, slots)).ready()
    await web.ready()
    const { id } = web.backgroundTasks.add(loop, {})
    await slots.untilStarted(1)
    t.equal(await web.backgroundTasks.cancel(id, 'enough'), true)
    t.match(await finalSnapshot(web, id), { state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } })
  })

  t.test('and in those of another worker when the first one closes', async (t) => {
    const slots = [new Slots(), new Slots()] as const
    const web = await open(t, 'closes', false)
    const first = await open(t, 'closes', true, slots[0])
    await Promise.all([web.ready(), first.ready()])
    const { id } = web.backgroundTasks.add(loop, {})
    await slots[0].untilStarted(1)
    await first.close()
    const second = await open(t, 'closes', true, slots[1])
    await second.ready()
    await slots[1].untilStarted(1)
    t.match(await web.backgroundTasks.get(id), { state: 'active', attempt: 1 })
  })
})
