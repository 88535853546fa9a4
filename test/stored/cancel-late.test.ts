import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import type { BackgroundTasksOptions, Engine, Task, TaskSnapshot } from '../../index.js'
import { createApp } from '../support/app.js'
import { type Change, createDistantEngine, createHeldEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { type Handler, named } from '../support/stored-app.js'
import { nextTurn } from '../support/turns.js'

/** An app whose engine, which others could share, has been asked to store a task, and does so when it is told to. */
async function createStoring (t: Test, handler: Handler, change: Change = () => ({})): Promise<{
  app: FastifyInstance, engine: Engine, task: Task, release: () => void
}> {
  const { engine, asked, release } = createHeldEngine((hold) => createDistantEngine((inner) => ({ ...hold?.(inner), ...change(inner) })))
  const { app, task } = await createAdded(t, engine, {}, handler)
  await asked
  return { app, engine, task, release }
}

/** An app that has added a task. */
async function createAdded (t: Test, engine: Engine, options: BackgroundTasksOptions = {}, handler: Handler = () => {}): Promise<{ app: FastifyInstance, task: Task }> {
  const work = named(handler, { result: {} })
  const app = await createApp(t, { engine, tasks: [work], ...options })
  await app.ready()
  return { app, task: app.backgroundTasks.add(work, {}) }
}

/** Resolves once the engine has no unfinished task, as this process has none. */
async function settled (app: FastifyInstance, { get }: Engine, { id }: Task): Promise<TaskSnapshot> {
  await app.backgroundTasks.idle()
  for (;;) {
    const snapshot = await get(id)
    if (snapshot?.finishedAt !== undefined) return snapshot
    await nextTurn()
  }
}

t.test('cancelling a task while it is stored cancels it there', async (t) => {
  const { app, engine, task, release } = await createStoring(t, () => { t.fail('it was cancelled') }, (inner) => ({
    // The worker is slow.
    start: (host) => inner.start({ ...host, worker: false })
  }))
  t.equal(task.cancel('enough'), true)
  const byId = app.backgroundTasks.cancel(task.id, 'too late')
  t.equal(task.state, 'waiting')
  release()
  t.equal(await byId, true)
  t.match(await settled(app, engine, task), { state: 'cancelled' })
  t.equal(task.state, 'cancelled')
  t.match(task.error, { code: 'FST_BGT_CANCELLED', cause: 'enough' })
  t.match(await app.backgroundTasks.get(task.id), { state: 'cancelled' })
  t.match(app.backgroundTasks.stats(), { cancelled: 1, waiting: 0 })
  t.equal(task.cancel(), false)
})

t.test('a task that was cancelled while it was stored, and that another process has run again since, is found as it is now', async (t) => {
  let isLucky = false
  const { app, engine, task, release } = await createStoring(t, (payload, { signal }) => isLucky
    ? 42
    : new Promise((resolve) => { signal.addEventListener('abort', resolve) }))
  const { id } = task
  t.equal(task.cancel(), true)
  release()
  t.match(await settled(app, engine, task), { state: 'cancelled' })
  isLucky = true
  t.equal(await engine.retry!(id), true)
  while ((await engine.get(id))?.state !== 'completed') await nextTurn()
  t.match(await app.backgroundTasks.get(id), { state: 'completed', result: 42 })
  t.match(await app.backgroundTasks.list({ state: 'completed' }), { tasks: [{ id, where: 'stored' }] })
  t.same((await app.backgroundTasks.list({ state: 'cancelled' })).tasks, [])
  t.equal(task.state, 'cancelled', 'the object that add returned stays as it ended')
})

t.test('a task that is being cancelled in its store says so to who cancels it again', async (t) => {
  const answers: boolean[] = []
  const { app, engine, task, release } = await createStoring(t, () => {}, (inner) => ({
    start: (host) => inner.start({ ...host, worker: false }),
    cancel (id, reason) {
      answers.push(task.cancel('again'))
      return inner.cancel(id, reason)
    }
  }))
  t.equal(task.cancel('enough'), true)
  release()
  t.match(await settled(app, engine, task), { state: 'cancelled' })
  t.same(answers, [true])
  t.match(task.error, { cause: 'enough' })
})

for (const [title, handler, expected] of [
  ['completed', () => 42, { state: 'completed', result: 42, error: undefined }],
  ['failed', () => { throw new RangeError('no luck') }, { state: 'failed', result: undefined, error: { name: 'RangeError', message: 'no luck' } }]
] as const) {
  t.test(`a task that is cancelled while it is stored, and has ${title} by then, shows that`, async (t) => {
    const { app, engine, task, release } = await createStoring(t, handler, (inner) => ({
      async cancel (id, reason) {
        while ((await inner.get(id))?.finishedAt === undefined) await nextTurn()
        return await inner.cancel(id, reason)
      }
    }))
    const byId = app.backgroundTasks.cancel(task.id)
    t.equal(task.cancel(), true)
    release()
    t.equal(await byId, false)
    t.match(await settled(app, engine, task), expected)
    t.match({ state: task.state, result: task.result, error: task.error }, expected)
    t.match(task.toJSON(), expected)
    t.equal(task.cancel(), false)
  })
}

t.test('a task that is cancelled while it is stored stays a receipt when the engine cannot be asked, or knows nothing of it', async (t) => {
  for (const [cancel, expected] of [[async () => { throw new Error('away') }, 'FST_BGT_ENGINE'], [async () => false, false]] as const) {
    const { app, task, release } = await createStoring(t, () => {}, () => ({ cancel, get: async () => undefined }))
    const byId = app.backgroundTasks.cancel(task.id)
    release()
    t.equal(await byId.catch(({ code }) => code), expected)
    await app.backgroundTasks.idle()
    t.equal(task.state, 'waiting')
  }
})

t.test('a task that is cancelled while the engine fails to store it has failed', async (t) => {
  const [asked, away] = [createLatch(), createLatch()]
  const { app, task } = await createAdded(t, createDistantEngine(() => ({
    async add () {
      asked.resolve()
      await away.promise
      throw new Error('away')
    }
  })))
  await asked.promise
  const byId = app.backgroundTasks.cancel(task.id)
  away.resolve()
  await t.rejects(byId, { code: 'FST_BGT_ENGINE' })
  t.match(task, { state: 'failed', error: { code: 'FST_BGT_ENGINE' } })
})

t.test('a task that is cancelled while it is stored ends with the app that closes meanwhile', async (t) => {
  const release = createLatch()
  const engine = createDistantEngine((inner) => ({
    start: () => {},
    async cancel (id) {
      await release.promise
      return await inner.cancel(id)
    }
  }))
  const { app, task } = await createAdded(t, engine, { closeTimeout: 0 })
  await Promise.resolve()
  t.equal(task.cancel(), true)
  await nextTurn()
  await app.close()
  t.match(task, { state: 'cancelled', error: { code: 'FST_BGT_CLOSING' } })
  release.resolve()
  await nextTurn()
  t.match(task, { state: 'cancelled', error: { code: 'FST_BGT_CLOSING' } })
})

t.test('a task that is cancelled while it is stored, and ended by the app that closes, is cancelled once it is stored', async (t) => {
  const { engine, asked, release } = createHeldEngine(createDistantEngine)
  const { app, task } = await createAdded(t, engine, { closeTimeout: 0 })
  await asked
  const byId = app.backgroundTasks.cancel(task.id)
  await app.close()
  t.match(task, { state: 'cancelled', error: { code: 'FST_BGT_CLOSING' } })
  release()
  t.equal(await byId, true)
})

t.test('cancelling a function beside a task that is stored ends it at once', async (t) => {
  const { app, engine, task, release } = await createStoring(t, () => {})
  const other = app.backgroundTasks.add(() => { t.fail('it was cancelled') })
  t.equal(other.cancel(), true)
  t.equal(other.state, 'cancelled')
  release()
  t.equal((await settled(app, engine, task)).state, 'completed')
})

t.test('clear drops a task that is being stored', async (t) => {
  const reasons: unknown[] = []
  const { engine, asked, release } = createHeldEngine((hold) => createDistantEngine((inner) => ({
    ...hold?.(inner),
    start: (host) => inner.start({ ...host, worker: false }),
    cancel (id, reason) {
      reasons.push(reason)
      return inner.cancel(id, reason)
    }
  })))
  const work = named(() => { t.fail('it was cleared') })
  const app = await createApp(t, { engine, tasks: [work] })
  const tasks: Task[] = []
  const dropped: number[] = []
  app.get('/', async (request) => {
    const { backgroundTasks } = request
    tasks.push(backgroundTasks.add(work, 1), backgroundTasks.add(work, 2))
    const flushed = backgroundTasks.flush()
    await asked
    tasks.push(backgroundTasks.add(() => { t.fail('it was cleared') }))
    dropped.push(backgroundTasks.clear())
    release()
    await flushed
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  await app.backgroundTasks.idle()
  t.same(dropped, [3])
  t.same(tasks.map(({ state }) => state), ['cancelled', 'cancelled', 'cancelled'])
  for (const { error } of tasks) t.match(error, { code: 'FST_BGT_CANCELLED', cause: 'cleared' })
  t.same(reasons, ['cleared', 'cleared'])
})
