import t from 'tap'
import { type AppBackgroundTasks, type NamedTask, type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createDistantEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const failing = defineTask({ name: 'registered', payload: {}, handler () { throw new Error('no') } })
const endless = { closeTimeout: 60_000 }

async function fail (): Promise<never> {
  throw new Error('no')
}

async function someTurns (): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await nextTurn()
}

const failures: Array<[title: string, add: (tasks: AppBackgroundTasks, named: NamedTask) => Task]> = [
  ['of a function', (tasks) => tasks.add(fail)],
  ['after retries', (tasks) => tasks.add({ retry: { retries: 1, delay: 0 } }, fail)],
  ['after a timeout', (tasks) => tasks.add({ timeout: 1 }, () => new Promise(() => {}))],
  ['of a promise', (tasks) => tasks.waitUntil(fail())],
  ['of a registered task', (tasks, named) => tasks.add(named, {})]
]

for (const [title, add] of failures) {
  t.test(`idle waits for the promise of onError, called for a failure ${title}`, async (t) => {
    const release = createLatch()
    const events: string[] = []
    const app = await createApp(t, {
      tasks: [failing],
      async onError () {
        events.push('onError starts')
        await release.promise
        events.push('onError ends')
      }
    })
    await app.ready()
    const task = add(app.backgroundTasks, failing)
    const idle = app.backgroundTasks.idle().then(() => { events.push('idle') })
    await turnUntil(() => events.length > 0)
    t.equal(task.state, 'failed')
    t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0, delayed: 0, failed: 1 })
    await someTurns()
    release.resolve()
    await idle
    t.same(events, ['onError starts', 'onError ends', 'idle'])
    await app.backgroundTasks.idle()
  })

  t.test(`close waits for the promise of onError before other onClose hooks, called for a failure ${title}`, async (t) => {
    const events: string[] = []
    const app = await createApp(t, {
      ...endless,
      tasks: [failing],
      async onError () {
        await someTurns()
        events.push('onError')
      }
    })
    app.addHook('onClose', async () => { events.push('database closed') })
    await app.ready()
    add(app.backgroundTasks, failing)
    await app.close()
    t.same(events, ['onError', 'database closed'])
  })
}

t.test('close waits for onError of a retry that it makes final', async (t) => {
  const events: string[] = []
  const app = await createApp(t, {
    ...endless,
    async onError () {
      await someTurns()
      events.push('onError')
    }
  })
  app.addHook('onClose', async () => { events.push('database closed') })
  await app.ready()
  const task = app.backgroundTasks.add({ retry: { retries: 1, delay: 60_000 } }, fail)
  await turnUntil(() => task.state === 'delayed')
  await app.close()
  t.same(events, ['onError', 'database closed'])
})

t.test('close waits for onError of a task that fails by the abort at the end of closeTimeout', async (t) => {
  const events: string[] = []
  const app = await createApp(t, {
    closeTimeout: 5,
    async onError () {
      await someTurns()
      events.push('onError')
    }
  })
  app.addHook('onClose', async () => { events.push('database closed') })
  await app.ready()
  const task = app.backgroundTasks.add({}, async ({ signal }: Task) => {
    await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
    throw signal.reason
  })
  await turnUntil(() => task.state === 'active')
  await app.close()
  t.same(events, ['onError', 'database closed'])
})

t.test('an onError that never settles holds close up no longer than closeTimeout, and is named in the line', async (t) => {
  const log = createLog()
  const called = createLatch()
  const app = await createApp(t, {
    closeTimeout: 50,
    onError () {
      called.resolve()
      return new Promise(() => {})
    }
  }, { logger: log.logger })
  await app.ready()
  const { id } = app.backgroundTasks.add(fail)
  await called.promise
  const started = performance.now()
  await app.close()
  const took = performance.now() - started
  t.ok(took >= 48 && took < 900, `${took} ms`)
  t.same(log.lines.filter(({ msg }) => msg === 'background tasks left unfinished'), [
    { level: 'error', tasks: [{ name: 'fail', id, state: 'failed', onError: 'unfinished' }], msg: 'background tasks left unfinished' }
  ])
})

const starts: Array<[title: string, add: (tasks: AppBackgroundTasks) => Task]> = [
  ['a function', (tasks) => tasks.add({ name: 'deaf' }, () => new Promise(() => {}))],
  ['a promise', (tasks) => tasks.waitUntil(new Promise(() => {}), { name: 'deaf' })]
]

for (const [title, add] of starts) {
  t.test(`onError is called once for ${title} that close has to leave, and its promise is not waited for`, async (t) => {
    const log = createLog()
    const calls: unknown[] = []
    const app = await createApp(t, {
      closeTimeout: 0,
      onError (error, task) {
        calls.push([error, task, task.state])
        return new Promise(() => {})
      }
    }, { logger: log.logger })
    await app.ready()
    const deaf = add(app.backgroundTasks)
    await turnUntil(() => deaf.state === 'active')
    await app.close()
    t.same(calls, [[deaf.error, deaf, 'failed']])
    t.match(deaf.error, { code: 'FST_BGT_CLOSING' })
    t.same(log.taskLines(), [
      { level: 'error', tasks: [{ name: 'deaf', id: deaf.id, state: 'active' }], msg: 'background tasks left unfinished' }
    ], 'the task is named once, by the state in which it was left')
  })
}

t.test('onError is not called for a task that close has cancelled before it started', async (t) => {
  const names: string[] = []
  const app = await createApp(t, { closeTimeout: 0, concurrency: 1, onError (_error, { name }) { names.push(name) } })
  await app.ready()
  const first = app.backgroundTasks.add({ name: 'first' }, () => new Promise(() => {}))
  const second = app.backgroundTasks.add({ name: 'second' }, () => {})
  await turnUntil(() => first.state === 'active')
  await app.close()
  t.equal(second.state, 'cancelled')
  t.same(names, ['first'])
})

t.test('onError is called for a task that waited for a slot to be retried when closeTimeout was over', async (t) => {
  const failed: unknown[] = []
  const app = await createApp(t, { closeTimeout: 30, concurrency: 1, onError (_error, { name, attempt }) { failed.push([name, attempt]) } })
  const work = defineTask({ name: 'retried', payload: {}, retry: { retries: 1, delay: 20, jitter: false }, handler: fail })
  app.backgroundTasks.register(work)
  await app.ready()
  const task = app.backgroundTasks.add(work, {})
  await turnUntil(() => task.state === 'delayed')
  const deaf = app.backgroundTasks.add({ name: 'deaf' }, () => new Promise(() => {}))
  await turnUntil(() => task.state === 'waiting' && deaf.state === 'active')
  await app.close()
  t.equal(task.state, 'failed')
  t.same(failed, [['retried', 1], ['deaf', 1]])
})

t.test('onError is not called for a task that the deadline of close ends here and another process runs again', async (t) => {
  const failed: unknown[] = []
  const work = defineTask({ name: 'work', payload: {}, handler: () => new Promise(() => {}) })
  const app = await createApp(t, { closeTimeout: 0, engine: createDistantEngine(), tasks: [work], onError (error) { failed.push(error) } })
  await app.ready()
  app.backgroundTasks.add(work, {})
  await turnUntil(() => app.backgroundTasks.stats().active === 1)
  await app.close()
  t.same(failed, [])
})

t.test('what onError adds when the last tasks are stopped is refused or named, never lost', async (t) => {
  const log = createLog()
  const app = await createApp(t, {
    closeTimeout: 0,
    onError (_error, { server }) { server.backgroundTasks.add({ name: 'late' }, () => {}) }
  }, { logger: log.logger })
  app.addHook('onClose', async () => { app.backgroundTasks.waitUntil(new Promise(() => {}), { name: 'deaf' }) })
  await app.ready()
  await app.close()
  t.match(log.taskLines(), [{
    msg: 'background tasks left unfinished', tasks: [{ name: 'deaf', state: 'active' }, { name: 'late', state: 'cancelled' }]
  }])
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0, failed: 1, cancelled: 1 })
})

t.test('an onError that rejects late is logged, and idle resolves after the line', async (t) => {
  const log = createLog()
  const app = await createApp(t, {
    async onError () {
      await someTurns()
      throw new Error('no database')
    }
  }, { logger: log.logger })
  await app.ready()
  app.backgroundTasks.add(fail)
  await app.backgroundTasks.idle()
  t.match(log.taskLines().at(-1), { level: 'error', msg: 'background task onError failed', err: { message: 'no database' } })
})

t.test('idle that runs out of time names the tasks whose onError it waits for', async (t) => {
  const app = await createApp(t, { onError: () => new Promise(() => {}) })
  await app.ready()
  const task = app.backgroundTasks.add({ name: 'fails' }, fail)
  while (task.state !== 'failed') await nextTurn()
  await t.rejects(app.backgroundTasks.idle({ timeout: 20 }), {
    code: 'FST_BGT_IDLE_TIMEOUT', message: 'still unfinished after 20 ms: fails (onError)'
  })
})
