import { once } from 'node:events'
import fastify from 'fastify'
import t from 'tap'
import backgroundTasks, { type Task } from '../../index.js'
import { useFakeTimers } from '../support/clock.js'
import { createDistantEngine } from '../support/engine.js'
import { createLog } from '../support/log.js'
import { Slots, createThreadApp, fileTask, finalSnapshot, threadOptions } from '../support/threads.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const loop = fileTask('loop.js')

/** Resolves when the endless loop stands still for as long as another thread takes to do something. */
async function untilStill (slots: Slots, other: () => Promise<unknown>): Promise<void> {
  for (let before = -1; before !== slots.loops;) {
    before = slots.loops
    await other()
  }
}

for (const [title, stop, expected] of [
  ['its timeout', undefined, { state: 'failed', error: { code: 'FST_BGT_TIMEOUT' } }],
  ['cancel', (task: Task) => task.cancel(), { state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } }]
] as const) {
  t.test(`an endless loop is ended by ${title}, and another thread takes its place`, async (t) => {
    const slots = new Slots()
    const app = await createThreadApp(t, { threads: { workerData: slots.workerData } })
    const tick = useFakeTimers(t)
    const task = app.backgroundTasks.add(loop, {}, { timeout: 60_000 })
    const next = app.backgroundTasks.add(fileTask('double.js'), { n: 1 })
    await slots.untilStarted(1)
    stop?.(task)
    await turnUntil(() => {
      tick(60_000)
      return task.error !== undefined
    })
    await app.backgroundTasks.idle()
    t.match(task, expected)
    t.equal(task.error, task.signal.reason)
    t.equal(next.result, 2)
    await untilStill(slots, async () => {
      app.backgroundTasks.add(fileTask('double.js'), { n: 1 })
      await app.backgroundTasks.idle()
    })
  })
}

t.test('a request goes on with its next task when the file before it is cancelled', async (t) => {
  const slots = new Slots()
  const log = createLog()
  const app = await createThreadApp(t, {
    threads: { workerData: slots.workerData }, onError: () => { t.fail('a cancelled task is no failure') }
  }, { logger: log.logger })
  const tasks: Task[] = []
  app.get('/', async (request) => {
    tasks.push(request.backgroundTasks.add(loop, {}))
    tasks.push(request.backgroundTasks.add(() => 'ran'))
    return 'ok'
  })
  await app.inject('/')
  await slots.untilStarted(1)
  tasks[0]?.cancel('enough')
  await app.backgroundTasks.idle()
  t.match(tasks, [{ state: 'cancelled', error: { cause: 'enough' } }, { state: 'completed', result: 'ran' }])
  t.match(log.taskLines().filter(({ level }) => level !== 'debug'), [
    { level: 'info', msg: 'background task cancelled', task: 'loop.js', reqId: 'req-1', reason: 'enough' }
  ])
})

t.test('the other threads go on while one is ended, also where no thread is kept', async (t) => {
  const slots = new Slots()
  const { workerData } = slots
  const app = await createThreadApp(t, { threads: { workerData, minThreads: 0, maxThreads: 2 } })
  const looping = app.backgroundTasks.add(loop, {})
  const held = app.backgroundTasks.add(fileTask('hold.js'), { n: 1 })
  await slots.untilStarted(2)
  const waiting = app.backgroundTasks.add(fileTask('double.js'), { n: 1 })
  looping.cancel()
  await turnUntil(() => waiting.state === 'completed')
  t.equal(held.state, 'active')
  slots.release()
  await app.backgroundTasks.idle()
  t.match([looping, held, waiting], [{ state: 'cancelled' }, { result: { n: 1 } }, { result: 2 }])
})

t.test('a stored task that another process runs is ended by cancel(id)', async (t) => {
  const slots = new Slots()
  const app = await createThreadApp(t, {
    engine: createDistantEngine(), tasks: [loop], threads: { workerData: slots.workerData }
  })
  await app.ready()
  const { id } = app.backgroundTasks.add(loop, {})
  await slots.untilStarted(1)
  t.equal(await app.backgroundTasks.cancel(id, 'enough'), true)
  t.match(await finalSnapshot(app, id), { state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } })
})

t.test('a task that is cancelled before it has a thread never starts', async (t) => {
  const slots = new Slots()
  const app = await createThreadApp(t, { threads: { workerData: slots.workerData } })
  // The first one still loads piscina, and has no thread either.
  const tasks = [1, 2].map(() => app.backgroundTasks.add(loop, {}))
  await turnUntil(() => tasks.every(({ state }) => state === 'active'))
  for (const task of tasks) task.cancel()
  await app.backgroundTasks.idle()
  app.backgroundTasks.add(fileTask('double.js'), { n: 1 })
  await app.backgroundTasks.idle()
  t.equal(slots.started, 0)
})

t.test('closing waits for files that run and for those that wait for a thread', async (t) => {
  const slots = new Slots()
  const app = fastify()
  await app.register(backgroundTasks, { threads: { ...threadOptions, workerData: slots.workerData } })
  const tasks = Array.from({ length: 6 }, (_, n) => app.backgroundTasks.add(fileTask('hold.js'), { n }))
  await slots.untilStarted(1)
  let closed = false
  const closing = app.close().then(() => { closed = true })
  await once(app.server, 'close')
  t.equal(closed, false)
  slots.release()
  await closing
  t.same(tasks.map(({ state, result }) => [state, result]), tasks.map((task, n) => ['completed', { n }]))
})

t.test('past closeTimeout an endless loop is ended, and the tasks behind it never start', async (t) => {
  const slots = new Slots()
  const log = createLog('info')
  const app = fastify({ logger: log.logger })
  await app.register(backgroundTasks, { closeTimeout: 1, threads: { ...threadOptions, workerData: slots.workerData } })
  let after!: Task
  app.get('/', async (request) => {
    request.backgroundTasks.add(loop, {})
    after = request.backgroundTasks.add(() => {})
    return 'ok'
  })
  await app.inject('/')
  await slots.untilStarted(1)
  const waiting = app.backgroundTasks.add(loop, {})
  await turnUntil(() => waiting.state === 'active')
  await app.close()
  t.match(waiting, { state: 'failed', error: { code: 'FST_BGT_CLOSING' } })
  t.match(after, { state: 'cancelled', error: { code: 'FST_BGT_CLOSING' } })
  t.equal(slots.started, 1)
  const failed = { msg: 'background task failed', task: 'loop.js', err: { code: 'FST_BGT_CLOSING' } }
  t.match(log.taskLines(), [failed, failed, {
    msg: 'background tasks left unfinished', tasks: [{ name: 'anonymous', reqId: 'req-1', state: 'cancelled' }]
  }])
})

t.test('a stored task that the shutdown deadline ends is given back to its engine', async (t) => {
  const slots = new Slots()
  const outcomes: unknown[] = []
  const engine = createDistantEngine((inner) => ({
    start: (host) => inner.start({
      ...host,
      async run (task, control) {
        await nextTurn()
        const outcome = await host.run(task, control)
        outcomes.push(outcome)
        return outcome
      }
    })
  }))
  const app = await createThreadApp(t, { engine, tasks: [loop], threads: { workerData: slots.workerData } })
  await app.ready()
  app.backgroundTasks.add(loop, {})
  await slots.untilStarted(1)
  await app.close()
  t.same(outcomes, [{ state: 'interrupted' }])
})
