import fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { noteClose, slowTask } from '../support/close-notes.js'

t.test('tasks of the app added while it boots are waited for', async (t) => {
  const events: string[] = []
  const app = fastify()
  await app.register(backgroundTasks)
  app.register(async (child) => {
    child.backgroundTasks.add(slowTask(events, 'boot'))
    child.addHook('onReady', async () => { child.backgroundTasks.add(slowTask(events, 'ready')) })
    child.addHook('preClose', async () => { child.backgroundTasks.add(slowTask(events, 'closing')) })
    child.addHook('onClose', async () => { events.push('child closed') })
  })
  await app.ready()
  await app.close()
  t.same(events, ['boot', 'ready', 'closing', 'child closed'])
})

t.test('close during onReady waits for tasks', async (t) => {
  const events: string[] = []
  const app = fastify()
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'database')))
  let closed: Promise<unknown> | undefined
  app.addHook('onReady', async () => {
    app.backgroundTasks.add(slowTask(events, 'task'))
    closed = app.close()
  })
  await app.ready()
  await closed
  t.same(events, ['task', 'database closed'])
})

t.test('close before the app is ready waits for tasks', async (t) => {
  const events: string[] = []
  const app = fastify()
  app.register(backgroundTasks)
  app.register(fp(async (app: FastifyInstance) => {
    app.backgroundTasks.add(slowTask(events, 'task'))
    await noteClose(events, 'database')(app)
  }))
  await app.close()
  t.same(events, ['task', 'database closed'])
})

t.test('an app whose boot fails can be closed, and its tasks are waited for', async (t) => {
  const events: string[] = []
  const app = fastify()
  await app.register(backgroundTasks)
  await app.register(fp(noteClose(events, 'database')))
  app.backgroundTasks.add(slowTask(events, 'task'))
  app.register(async () => { throw new Error('no') })
  await t.rejects(async () => { await app.ready() }, { message: 'no' })
  await app.close()
  t.same(events, ['task', 'database closed'])
})
