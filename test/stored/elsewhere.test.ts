import { randomUUID } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import { type BackgroundTasksOptions, type NamedTask, type RunOutcome, type Task, type TaskSnapshot, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createDistantEngine, createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { type Log, createLog } from '../support/log.js'
import { SharedStore } from '../support/shared-store.js'
import { type Handler, named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const endless = { closeTimeout: 60_000 }

interface Process {
  app: FastifyInstance
  log: Log
}

async function createProcess (t: Test, store: SharedStore, options: BackgroundTasksOptions): Promise<Process> {
  const log = createLog()
  const app = await createApp(t, { engine: store.createEngine(), ...endless, ...options }, { logger: log.logger })
  return { app, log }
}

/** A process that stores, and one that runs what is stored. POST / adds a task whose payload is the body. */
async function createTwo (t: Test, work: NamedTask, options: BackgroundTasksOptions = {}): Promise<{ store: SharedStore, web: Process, worker: Process, tasks: Task[] }> {
  const store = new SharedStore()
  const web = await createProcess(t, store, { tasks: [work], worker: false })
  const worker = await createProcess(t, store, { tasks: [work], ...options })
  const tasks: Task[] = []
  web.app.post('/', async (request, reply) => {
    const { payload, ...call } = request.body as { payload: unknown }
    const task = request.backgroundTasks.add(work, payload, call)
    tasks.push(task)
    return reply.code(202).send({ id: task.id, reqId: request.id })
  })
  await worker.app.ready()
  return { store, web, worker, tasks }
}

async function post ({ app }: Process, payload: unknown, call: object = {}): Promise<{ id: string, reqId: string }> {
  const response = await app.inject({ method: 'POST', url: '/', payload: { payload, ...call } })
  if (response.statusCode !== 202) throw new Error(response.body)
  return response.json()
}

/** The snapshot, as soon as it is as wanted. */
async function until ({ app }: Process, id: string, isWanted: (snapshot: TaskSnapshot) => boolean): Promise<TaskSnapshot> {
  for (;;) {
    const snapshot = await app.backgroundTasks.get(id)
    if (snapshot !== undefined && isWanted(snapshot)) return snapshot
    await nextTurn()
  }
}

const end = (process: Process, id: string): Promise<TaskSnapshot> => until(process, id, ({ finishedAt }) => finishedAt !== undefined)

t.test('a task stored by one process runs in another, and both see its progress and its result', async (t) => {
  const release = createLatch()
  const { web, worker, tasks } = await createTwo(t, defineTask({
    name: 'work',
    payload: Type.Object({ n: Type.Integer() }),
    result: Type.Object({ double: Type.Integer() }),
    async handler ({ n }, task) {
      task.progress({ n })
      await release.promise
      return { double: 2 * n, secret: true }
    }
  }))
  const { id } = await post(web, { n: 21 })
  t.match(await until(web, id, ({ progress }) => progress !== undefined), { state: 'active', progress: { n: 21 }, attempt: 1 })
  t.match(await worker.app.backgroundTasks.get(id), { state: 'active', progress: { n: 21 } })
  release.resolve()
  t.strictSame((await end(web, id)).result, { double: 42 })
  t.strictSame((await end(worker, id)).result, { double: 42 })
  t.match(worker.app.backgroundTasks.stats(), { completed: 1 })
  t.match(web.app.backgroundTasks.stats(), { waiting: 0, active: 0, completed: 0 })
  t.equal(tasks[0]?.id, id)
})

t.test('once stored, the task that add returned is a receipt, which nobody waits for', async (t) => {
  const release = createLatch()
  const { web, tasks } = await createTwo(t, named(() => release.promise))
  const { id } = await post(web, 1)
  await web.app.backgroundTasks.idle()
  const [task] = tasks
  t.equal(task?.state, 'waiting')
  t.equal(task?.cancel(), false)
  t.equal(task?.id, id)
  t.match(web.app.backgroundTasks.stats(), { waiting: 0, active: 0 })
  await web.app.close()
  t.same(web.log.taskLines(), [])
  release.resolve()
})

t.test('the worker logs with the id of the request, and its handler has the Fastify instance of the worker', async (t) => {
  const seen: unknown[] = []
  const work = defineTask({
    name: 'work',
    payload: {},
    handler (payload, task) {
      seen.push(this, task.server, task.response, task.id)
      task.log.info('hello from a background task')
    }
  })
  const { web, worker } = await createTwo(t, work)
  const { id, reqId } = await post(web, 1)
  await end(web, id)
  t.equal(seen[0], worker.app)
  t.equal(seen[1], worker.app)
  t.same(seen.slice(2), [undefined, id])
  t.match(worker.log.taskLines(), [
    { msg: 'hello from a background task', reqId, task: 'work', taskId: id }, { msg: 'background task completed', reqId, taskId: id }
  ])
  t.same(web.log.taskLines(), [])
})

t.test('retries happen in the worker, with the same id, their backoff and one final error', async (t) => {
  const attempts: unknown[] = []
  const errors: unknown[] = []
  const handler: Handler = (payload, task) => {
    attempts.push([task.id, task.attempt, payload.list.length])
    payload.list.push(task.attempt)
    throw Object.assign(new Error('no luck'), { code: 'E_LUCK' })
  }
  const { web, worker } = await createTwo(t, named(handler, { retry: { retries: 2, delay: 1, jitter: false } }), {
    onError: (error, task) => { errors.push([(error as Error).message, task.id, task.attempt]) }
  })
  const { id, reqId } = await post(web, { list: [] })
  const { error, ...snapshot } = await end(web, id)
  t.strictSame(error, { name: 'Error', code: 'E_LUCK', message: 'no luck' })
  t.match(snapshot, { state: 'failed', attempt: 3 })
  t.same(attempts, [[id, 1, 0], [id, 2, 0], [id, 3, 0]])
  t.same(errors, [['no luck', id, 3]])
  t.match(worker.log.taskLines(), [
    { level: 'warn', attempt: 1, reqId, delay: 1 }, { level: 'warn', attempt: 2, delay: 2 }, { level: 'error', attempt: 3, reqId }
  ])
  t.match(worker.app.backgroundTasks.stats(), { failed: 1, retries: 2, delayed: 0, active: 0 })
  await worker.app.backgroundTasks.idle()
})

t.test('the retry given in the call replaces that of the definition, retryIf included, wherever the task runs', async (t) => {
  for (const engine of [createEngine(), createDistantEngine()]) {
    let runs = 0
    const work = named(() => {
      runs++
      throw new Error('no luck')
    }, { retry: { retries: 5, delay: 0, retryIf: () => false } })
    const app = await createApp(t, { engine, tasks: [work] })
    await app.ready()
    const { id } = app.backgroundTasks.add(work, {}, { retry: { retries: 1, delay: 0 } })
    await app.backgroundTasks.idle()
    while ((await engine.get(id))?.finishedAt === undefined) await nextTurn()
    t.equal(runs, 2)
  }
})

t.test('a timeout is kept by the worker', async (t) => {
  const { web } = await createTwo(t, named(() => new Promise(() => {}), { timeout: 5 }))
  const { id } = await post(web, 1)
  t.match(await end(web, id), { state: 'failed', error: { code: 'FST_BGT_TIMEOUT', message: 'task "work" timed out after 5 ms' } })
})

for (const state of ['waiting', 'delayed', 'active'] as const) {
  t.test(`a task that is ${state} in one process is cancelled from the other`, async (t) => {
    const reasons: unknown[] = []
    const { web, worker } = await createTwo(t, named(async (payload, { signal }) => {
      await new Promise((resolve) => { signal.addEventListener('abort', resolve) })
      reasons.push([signal.reason.code, signal.reason.cause])
    }), { worker: state === 'active' })
    const { id } = await post(web, 1, state === 'delayed' ? { delay: 60_000 } : {})
    await until(web, id, (snapshot) => snapshot.state === state)
    t.equal(await web.app.backgroundTasks.cancel(id, 'enough'), true)
    t.match(await end(web, id), { state: 'cancelled' })
    t.equal(await web.app.backgroundTasks.cancel(id), false)
    t.same(reasons, state === 'active' ? [['FST_BGT_CANCELLED', 'enough']] : [])
    t.equal(worker.log.taskLines().filter(({ msg }) => msg === 'background task cancelled').length, reasons.length)
    await worker.app.backgroundTasks.idle()
  })
}

t.test('with a key, flush gives the id of the task that has it', async (t) => {
  const release = createLatch()
  const work = named(() => release.promise)
  const { store, web, worker } = await createTwo(t, work)
  const { id: first } = await post(web, 1, { key: 'k' })
  const other = await createProcess(t, store, { tasks: [work], worker: false })
  other.app.get('/', async (request) => {
    const task = request.backgroundTasks.add(work, 2, { key: 'k' })
    const before = task.id
    await request.backgroundTasks.flush()
    return [before, task.id, request.backgroundTasks.size]
  })
  const [before, after, size] = (await other.app.inject('/')).json()
  t.not(before, first)
  t.equal(after, first)
  t.equal(size, 0)
  t.equal(await other.app.backgroundTasks.get(before), undefined)
  t.equal(store.entries.size, 1)
  release.resolve()
  t.match(await end(other, first), { state: 'completed' })
  await worker.app.backgroundTasks.idle()
})

t.test('cancelling a task while it is stored leaves another one alone that has its key', async (t) => {
  const { store, web, worker } = await createTwo(t, named(() => {}), { worker: false })
  const { id } = await post(web, 1, { key: 'k' })
  const own = named(() => {})
  const { app } = await createProcess(t, store, { tasks: [own], worker: false })
  await app.ready()
  const task = app.backgroundTasks.add(own, 2, { key: 'k' })
  await Promise.resolve()
  t.equal(task.cancel(), true)
  for (let turn = 0; turn < 10; turn++) await nextTurn()
  t.equal((await worker.app.backgroundTasks.get(id))?.state, 'waiting')
})

t.test('an engine may start a task before it has said that it is stored', async (t) => {
  const ran: unknown[] = []
  const engine = createDistantEngine((inner) => ({
    start: (host) => inner.start(host),
    async add (tasks) {
      const ids = await inner.add(tasks)
      for (let turn = 0; turn < 5; turn++) await nextTurn()
      return ids
    }
  }))
  const work = named((payload) => { ran.push(payload) })
  const app = await createApp(t, { engine, tasks: [work] })
  app.get('/', async (request) => request.backgroundTasks.add(work, 1).id)
  const { body: id } = await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(ran, [1])
  t.match(await app.backgroundTasks.get(id), { state: 'completed' })
})

/** A process that adds, and a worker whose own task of the same name takes only integers. */
async function createRefusing (t: Test, options: BackgroundTasksOptions = {}): Promise<{ store: SharedStore, web: Process, worker: Process, work: NamedTask }> {
  const store = new SharedStore()
  const work = named(() => {})
  const web = await createProcess(t, store, { tasks: [work], worker: false })
  const strict = named((payload) => { if (typeof payload !== 'number') t.fail('its payload is wrong') }, { payload: { type: 'integer' } })
  const worker = await createProcess(t, store, { tasks: [strict], ...options })
  await Promise.all([web.app.ready(), worker.app.ready()])
  return { store, web, worker, work }
}

const hour = 3_600_000

t.test('a payload that the schema of the worker refuses is left to others, from 5 seconds up to 5 minutes, for an hour', async (t) => {
  const errors: unknown[] = []
  const { store, web, worker, work } = await createRefusing(t, { onError: (error, task) => { errors.push([(error as Error).message, task.id]) } })
  const { id } = web.app.backgroundTasks.add(work, 'x', { retry: 3 })
  await until(web, id, ({ state }) => state === 'delayed')
  const entry = store.entries.get(id)!
  const delays: unknown[] = []
  const { wait } = store
  store.wait = (given, delayMs) => {
    delays.push(delayMs)
    wait.call(store, given, delayMs)
  }
  for (let taken = 1; taken < 9; taken++) {
    clearTimeout(entry.timer)
    wait.call(store, entry)
    await turnUntil(() => delays.length === taken)
  }
  t.same(delays, [10, 20, 40, 80, 160, 300, 300, 300].map((seconds) => seconds * 1000))
  t.match(worker.log.taskLines(), [{
    level: 'warn',
    msg: 'background task left to other workers: the schema of this worker refuses its payload',
    task: 'work',
    taskId: id,
    delay: 5000,
    err: { code: 'FST_BGT_INVALID_PAYLOAD' }
  }])
  t.match(worker.app.backgroundTasks.stats(), { failed: 0, retries: 0, waiting: 0 })
  const now = Date.now()
  t.intercept(Date, 'now', { value: () => now + hour })
  clearTimeout(entry.timer)
  wait.call(store, entry)
  t.match(await end(web, id), { state: 'failed', attempt: 1, error: { code: 'FST_BGT_INVALID_PAYLOAD', message: 'payload must be integer' } })
  t.same(errors, [['payload must be integer', id]])
  t.match(worker.log.taskLines()[1], { level: 'error', msg: 'background task failed', task: 'work', taskId: id })
})

t.test('a worker whose schema takes the payload runs what another has refused, as the attempt it was', async (t) => {
  const { store, web, work } = await createRefusing(t)
  const { id } = web.app.backgroundTasks.add(work, 'x')
  await until(web, id, ({ state }) => state === 'delayed')
  const entry = store.entries.get(id)!
  clearTimeout(entry.timer)
  for (const engine of store.engines) engine.pause()
  const newer = await createProcess(t, store, { tasks: [work] })
  await newer.app.ready()
  store.wait(entry)
  t.match(await end(web, id), { state: 'completed', attempt: 1 })
})

t.test('the hour of a refused payload begins when its task is due, or its retry first refused', async (t) => {
  const { store, web } = await createRefusing(t)
  const engine = store.createEngine()
  const createdAt = Date.now() - 2 * hour
  const stored = { name: 'work', payload: 'x', createdAt }
  const [over, late, retried] = [randomUUID(), randomUUID(), randomUUID()]
  await engine.add([{ ...stored, id: over }])
  t.match(await end(web, over), { state: 'failed', error: { code: 'FST_BGT_INVALID_PAYLOAD' } })
  await engine.add([{ ...stored, id: late, delay: hour * 1.5 }, { ...stored, id: retried, delay: hour * 1.5 }])
  for (const id of [late, retried]) {
    const entry = store.entries.get(id)!
    clearTimeout(entry.timer)
    if (id === retried) entry.attempt = 2
    store.wait(entry)
    await turnUntil(() => entry.snapshot.startedAt !== undefined)
    await until(web, id, ({ state }) => state === 'delayed')
  }
})

t.test('a name that a worker does not know waits for another also where the logger throws', async (t) => {
  const store = new SharedStore()
  const work = named(() => {})
  const web = await createProcess(t, store, { tasks: [work], worker: false })
  const ignorant = await createProcess(t, store, {})
  await Promise.all([web.app.ready(), ignorant.app.ready()])
  t.intercept(ignorant.app, 'log', { get () { throw new Error('no logger') } })
  const { id } = web.app.backgroundTasks.add(work, 1)
  await until(web, id, ({ state }) => state === 'delayed')
  t.equal(await web.app.backgroundTasks.cancel(id), true)
})

t.test('a name that one worker does not know is left to another, with one line a minute', async (t) => {
  const store = new SharedStore()
  const work = named(() => {})
  const other = named(() => {}, { name: 'other' })
  const web = await createProcess(t, store, { tasks: [work, other], worker: false })
  const ignorant = await createProcess(t, store, {})
  await Promise.all([web.app.ready(), ignorant.app.ready()])
  const tasks = [work, work, work, other].map((task) => web.app.backgroundTasks.add(task, 1))
  for (const { id } of tasks) await until(web, id, ({ state }) => state === 'delayed')
  const lines = ignorant.log.lines.filter(({ task }) => task !== undefined)
  t.match(lines, ['work', 'other'].map((name) => (
    { level: 'warn', msg: 'no task of this name is registered in this worker', task: name, attempt: 1, delay: 5000 })))
  t.equal(lines.length, 2)
  for (const { id } of tasks) t.equal(await web.app.backgroundTasks.cancel(id), true)
})

t.test('each of many tasks runs once, whichever of two workers takes it', async (t) => {
  const ran: unknown[] = []
  const work = named(async (payload) => {
    ran.push(payload)
    await nextTurn()
  })
  const { store, web } = await createTwo(t, work, { concurrency: 2 })
  const second = await createProcess(t, store, { tasks: [work], concurrency: 2 })
  await second.app.ready()
  const ids = await Promise.all(Array.from({ length: 20 }, async (_, index) => (await post(web, index)).id))
  for (const id of ids) await end(web, id)
  t.same(ran.sort((a, b) => Number(a) - Number(b)), Array.from({ length: 20 }, (_, index) => index))
})

// A worker closes.

t.test('a worker that closes finishes what it runs, and leaves what waits to others', async (t) => {
  const started = createLatch()
  const release = createLatch()
  const ran: unknown[] = []
  const work = named(async (payload) => {
    started.resolve()
    await release.promise
    ran.push(payload)
  })
  const { store, web, worker } = await createTwo(t, work, { concurrency: 1 })
  const { id: first } = await post(web, 1)
  await started.promise
  const { id: second } = await post(web, 2)
  const { id: third } = await post(web, 3, { delay: 60_000 })
  const closed = worker.app.close()
  await nextTurn()
  release.resolve()
  await closed
  t.same(ran, [1])
  t.equal((await end(web, first)).state, 'completed')
  t.equal((await web.app.backgroundTasks.get(second))?.state, 'waiting')
  t.equal((await web.app.backgroundTasks.get(third))?.state, 'delayed')
  t.same(worker.log.taskLines().filter(({ level }) => level === 'error'), [])
  const other = await createProcess(t, store, { tasks: [work] })
  await other.app.ready()
  t.equal((await end(web, second)).state, 'completed')
  t.equal(await web.app.backgroundTasks.cancel(third), true)
})

t.test('a task that the shutdown deadline interrupts runs again elsewhere, with the same attempt number', async (t) => {
  const attempts: unknown[] = []
  const started = createLatch()
  const handler = (name: string): Handler => async (payload, { attempt, id, signal }) => {
    attempts.push([name, id, attempt])
    started.resolve()
    if (name === 'first') await new Promise((resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason) }) })
  }
  const errors: unknown[] = []
  const { store, web, worker } = await createTwo(t, named(handler('first')), { closeTimeout: 5, onError: (error) => { errors.push(error) } })
  const { id } = await post(web, 1)
  await started.promise
  await worker.app.close()
  t.equal((await web.app.backgroundTasks.get(id))?.state, 'waiting')
  const second = await createProcess(t, store, { tasks: [named(handler('second'))] })
  await second.app.ready()
  t.match(await end(web, id), { state: 'completed', attempt: 1 })
  t.same(attempts, [['first', id, 1], ['second', id, 1]])
  t.same(errors, [])
})

t.test('a task that fails while its worker closes is retried elsewhere', async (t) => {
  const [started, fail] = [createLatch(), createLatch()]
  const attempts: unknown[] = []
  const work = named(async (payload, { attempt }) => {
    attempts.push(attempt)
    started.resolve()
    await fail.promise
    if (attempt === 1) throw new Error('once')
  }, { retry: { retries: 1, delay: 1 } })
  const { store, web, worker } = await createTwo(t, work)
  const { id } = await post(web, 1)
  await started.promise
  const closed = worker.app.close()
  await nextTurn()
  fail.resolve()
  await closed
  t.match(worker.log.taskLines(), [{ level: 'warn', attempt: 1 }])
  const second = await createProcess(t, store, { tasks: [work] })
  await second.app.ready()
  t.match(await end(web, id), { state: 'completed', attempt: 2 })
  t.same(attempts, [1, 2])
})

// The engine fails to answer.

t.test('get and cancel reject with what the engine rejects with as the cause', async (t) => {
  const error = new Error('no store')
  const reject = async (): Promise<never> => { throw error }
  const app = await createApp(t, { engine: createDistantEngine(() => ({ get: reject, cancel: reject })) })
  await app.ready()
  await t.rejects(app.backgroundTasks.get('x'), { code: 'FST_BGT_ENGINE', cause: error })
  await t.rejects(app.backgroundTasks.cancel('x'), { code: 'FST_BGT_ENGINE', cause: error })
  const task = app.backgroundTasks.add(() => {})
  t.match(await app.backgroundTasks.get(task.id), { state: 'waiting' })
  await app.backgroundTasks.idle()
})

t.test('a function that cancels its task after the attempt has been given up disturbs no count', async (t) => {
  const late = createLatch()
  const work = named(async (payload, task) => {
    if (task.attempt > 1) return
    await late.promise
    t.equal(task.cancel(), false)
  }, { timeout: 5, retry: { retries: 1, delay: 20, jitter: false } })
  const { worker, web } = await createTwo(t, work)
  await web.app.inject({ method: 'POST', url: '/', payload: { payload: 1 } })
  const { backgroundTasks } = worker.app
  while (backgroundTasks.stats().retries < 1) await nextTurn()
  late.resolve()
  while (backgroundTasks.stats().completed < 1) await nextTurn()
  await nextTurn()
  t.match(backgroundTasks.stats(), { waiting: 0, active: 0, delayed: 0, completed: 1, cancelled: 0, failed: 0 })
  await backgroundTasks.idle({ timeout: 5000 })
})

t.test('a cancellation without a reason, from another process, has none', async (t) => {
  const work = named(() => new Promise(() => {}))
  const { web, worker } = await createTwo(t, work)
  const { id } = (await web.app.inject({ method: 'POST', url: '/', payload: { payload: 1 } })).json()
  while ((await web.app.backgroundTasks.get(id))?.state !== 'active') await nextTurn()
  t.equal(await web.app.backgroundTasks.cancel(id), true)
  while (worker.app.backgroundTasks.stats().cancelled === 0) await nextTurn()
  const [line] = worker.log.taskLines().filter(({ msg }) => msg === 'background task cancelled')
  t.equal(line?.taskId, id)
  t.equal('reason' in line!, false)
})

for (const create of [createEngine, createDistantEngine]) {
  t.test(`an attempt that is cancelled before the engine asks for it never starts, with ${create.name}`, async (t) => {
    const outcomes: RunOutcome[] = []
    const engine = create((inner) => ({
      start: (host) => inner.start({
        ...host,
        async run (task, control) {
          const outcome = await host.run(task, { ...control, signal: AbortSignal.abort('not needed') })
          outcomes.push(outcome)
          return outcome
        }
      })
    }))
    const work = named(() => { t.fail('it was cancelled') })
    const app = await createApp(t, { engine, tasks: [work] })
    await app.ready()
    app.backgroundTasks.add(work, 1)
    await turnUntil(() => outcomes.length > 0)
    await app.backgroundTasks.idle()
    t.match(outcomes, [{ state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } }])
    t.match(app.backgroundTasks.stats(), { cancelled: 1, completed: 0, waiting: 0, active: 0 })
  })
}
