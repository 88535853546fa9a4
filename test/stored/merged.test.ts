import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { type HandlerTaskDefinition, type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createHeldEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import type { Handler } from '../support/stored-app.js'
import { turnUntil } from '../support/turns.js'

interface Scene {
  app: FastifyInstance
  first: Task
  /** Added under the same key by another request before the first was stored. */
  second: Task
  /** The id that the second had until then. */
  earlierId: string
}

async function createScene (t: Test, handler: Handler, more: Partial<HandlerTaskDefinition> = {}, history = 1000): Promise<Scene> {
  const { engine, release } = createHeldEngine()
  const work = defineTask({ name: 'work', payload: {}, result: Type.Object({ n: Type.Integer() }), handler, ...more })
  const app = await createApp(t, { engine, tasks: [work], history })
  const tasks: Task[] = []
  app.get('/', async (request) => { tasks.push(request.backgroundTasks.add(work, tasks.length, { key: 'k' })) })
  await app.ready()
  const responses = [app.inject('/'), app.inject('/')]
  await turnUntil(() => engine.batches.length === 2)
  const [first, second] = tasks as [Task, Task]
  t.not(second, first)
  const earlierId = second.id
  release()
  for (const { statusCode } of await Promise.all(responses)) t.equal(statusCode, 200)
  return { app, first, second, earlierId }
}

t.test('a task that is merged at store time follows the one that has the key: attempt, progress and result', async (t) => {
  const fail = createLatch()
  const finish = createLatch()
  const ran: unknown[] = []
  const { app, first, second, earlierId } = await createScene(t, async (payload, task) => {
    ran.push(payload)
    if (task.attempt === 1) {
      await fail.promise
      throw new Error('once')
    }
    task.progress(0.5)
    await finish.promise
    return { n: 7 }
  }, { retry: { retries: 1, delay: 0 } })
  t.equal(second.id, first.id)
  await turnUntil(() => first.state === 'active')
  t.equal(second.state, 'active')
  fail.resolve()
  await turnUntil(() => first.toJSON().progress === 0.5)
  t.equal(second.attempt, 2)
  t.same(second.toJSON(), first.toJSON())
  t.same(await app.backgroundTasks.get(earlierId), first.toJSON())
  t.match(app.backgroundTasks.stats(), { active: 1, waiting: 0 })
  finish.resolve()
  await app.backgroundTasks.idle()
  t.same([second.state, second.result, second.error], ['completed', { n: 7 }, undefined])
  t.same(second.toJSON(), first.toJSON())
  t.same(await app.backgroundTasks.get(earlierId), first.toJSON())
  t.same(ran, [0, 0])
  t.match(app.backgroundTasks.stats(), { completed: 1, failed: 0 })
})

t.test('a task that is merged at store time fails with the one that has the key', async (t) => {
  const error = new Error('no')
  const { app, first, second } = await createScene(t, () => { throw error })
  await app.backgroundTasks.idle()
  t.same([first.state, second.state], ['failed', 'failed'])
  t.equal(second.error, error)
})

for (const [title, cancel] of [
  ['itself', async ({ second }) => second.cancel('enough')],
  ['its earlier id', async ({ app, earlierId }) => await app.backgroundTasks.cancel(earlierId, 'enough')]
] as Array<[string, (scene: Scene) => Promise<boolean>]>) {
  t.test(`a task that is merged at store time is cancelled by ${title}, and the one that has the key with it`, async (t) => {
    const scene = await createScene(t, () => new Promise(() => {}))
    const { app, first, second } = scene
    await turnUntil(() => first.state === 'active')
    t.equal(await cancel(scene), true)
    t.equal(first.state, 'cancelled')
    t.equal(second.state, 'cancelled')
    t.match(second.error, { code: 'FST_BGT_CANCELLED', cause: 'enough' })
    t.equal(second.cancel(), false)
    await app.backgroundTasks.idle()
    t.equal(await app.backgroundTasks.cancel(second.id), false)
  })
}

t.test('of a merged task nothing is kept once it has ended, where history keeps nothing', async (t) => {
  const { app, second, earlierId } = await createScene(t, () => ({ n: 1 }), {}, 0)
  await app.backgroundTasks.idle()
  t.equal(second.state, 'completed')
  t.equal(await app.backgroundTasks.get(earlierId), undefined)
  t.equal(await app.backgroundTasks.cancel(earlierId), false)
})
