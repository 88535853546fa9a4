import { once } from 'node:events'
import fp from 'fastify-plugin'
import t from 'tap'
import { createApp } from '../support/app.js'
import { noteClose, slowTask } from '../support/close-notes.js'
import { createEngine } from '../support/engine.js'
import { named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const retry = { retries: 2, delay: 1, jitter: false }

t.test('after a server was closed by hand failed tasks are retried, and the engine runs tasks', async (t) => {
  let pauses = 0
  const engine = createEngine((inner) => ({
    pause () {
      pauses++
      return inner.pause()
    }
  }))
  const work = named((payload, task) => { if (task.attempt < 3) throw new Error('flaky') }, { retry })
  const app = await createApp(t, { engine, tasks: [work], closeTimeout: 60_000 })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const before = app.backgroundTasks.add({ retry: { ...retry, delay: 30 } }, (task) => { if (task.attempt < 3) throw new Error('flaky') })
  await turnUntil(() => before.state === 'delayed')
  const closed = once(app.server, 'close')
  app.server.close()
  await closed
  await nextTurn()
  const tasks = [before, app.backgroundTasks.add({ retry }, (task) => { if (task.attempt < 3) throw new Error('flaky') }), app.backgroundTasks.add(work, {})]
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ state, attempt }) => ({ state, attempt })), Array(3).fill({ state: 'completed', attempt: 3 }))
  t.equal(pauses, 0)
})

t.test('an app whose server was closed by hand waits for tasks when it closes, before other onClose hooks', async (t) => {
  const events: string[] = []
  const app = await createApp(t, { closeTimeout: 60_000 })
  await app.register(fp(noteClose(events, 'database')))
  app.addHook('preClose', async () => { app.backgroundTasks.add(slowTask(events, 'closing')) })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const closed = once(app.server, 'close')
  app.server.close()
  await closed
  app.backgroundTasks.add(slowTask(events, 'task'))
  await app.close()
  t.same(events, ['task', 'closing', 'database closed'])
})

t.test('behind a preClose hook that fails, a task in a backoff is not waited for', async (t) => {
  const app = await createApp(t, { closeTimeout: 60_000 })
  await app.register(fp(async (app) => { app.addHook('preClose', async () => { throw new Error('no') }) }))
  await app.ready()
  const task = app.backgroundTasks.add({ retry: { retries: 1, delay: 60_000, jitter: false } }, () => { throw new Error('fails') })
  await turnUntil(() => task.state === 'delayed')
  await app.close().catch(() => {})
  t.match(task, { state: 'failed', error: { message: 'fails' } })
})
