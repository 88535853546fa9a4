import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type BackgroundTasksOptions, type NamedTask, type TaskSnapshot, defineTask, errors } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { taskRoutes } from '../../lib/routes.js'
import { createLatch } from '../support/latch.js'
import { type Line, type Log, createLog } from '../support/log.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

interface Side {
  app: FastifyInstance
  log: Log
}

/** Waits for its task to be cancelled or stopped. */
async function aborted (signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
  throw signal.reason
}

function define (name: string, handler: (payload: any, task: any) => unknown, more: object = {}): NamedTask {
  return defineTask({ name, payload: {}, handler, ...more })
}

t.test('two processes of one app on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  let queues = 0

  /** The app on each side of the store; `open` gives one more worker. */
  async function setUp (t: Test, tasks: NamedTask[], options: BackgroundTasksOptions = {}, addRoutes?: (app: FastifyInstance) => void): Promise<{
    web: Side, worker: Side, open: (options?: BackgroundTasksOptions) => Promise<Side>, end: (id: string) => Promise<TaskSnapshot>
  }> {
    const queue = `across-${queues++}`
    async function open (more: BackgroundTasksOptions = {}): Promise<Side> {
      const log = createLog()
      const app = Fastify({ logger: log.logger })
      t.teardown(() => app.close())
      const engine = bullmqEngine({ connection: redis.connection, queue, lockDuration: 1000, stalledInterval: 500 })
      await app.register(backgroundTasks, { tasks, engine, closeTimeout: 0, ...options, ...more })
      await app.register(taskRoutes, { prefix: '/tasks', cancel: true })
      addRoutes?.(app)
      await app.ready()
      // A busy machine may need longer for the first connection than an engine lets a request wait.
      if (more.worker === false) await engine.queue.waitUntilReady()
      return { app, log }
    }
    const web = await open({ worker: false })
    const worker = await open()
    async function end (id: string): Promise<TaskSnapshot> {
      let snapshot: TaskSnapshot | undefined
      await until(async () => {
        snapshot = await web.app.backgroundTasks.get(id)
        return snapshot?.finishedAt !== undefined
      })
      return snapshot!
    }
    return { web, worker, open, end }
  }

  t.test('the worker logs with the id of the request that added the task', async (t) => {
    const say = define('say', (payload, task) => { task.log.info('at work') })
    let id = ''
    let reqId = ''
    const { web, worker, end } = await setUp(t, [say], {}, (app) => {
      app.post('/', async (req) => {
        reqId = req.id
        id = req.backgroundTasks.add(say, {}).id
        return {}
      })
    })
    await web.app.inject({ method: 'POST', url: '/' })
    t.equal((await end(id)).state, 'completed')
    t.match(worker.log.lines.filter(({ msg }) => msg === 'at work'), [{ reqId, task: 'say', taskId: id }])
    t.match(worker.log.lines.filter(({ msg }) => msg === 'background task completed'), [{ reqId, taskId: id }])
    t.same(web.log.taskLines(), [])
  })

  t.test('progress, result and the events of taskRoutes are seen by the other process', async (t) => {
    const goOn = createLatch()
    const report = define('report', async (payload, task) => {
      task.progress({ step: 1 })
      await goOn.promise
      return { sum: payload.a + payload.b }
    }, { result: {} })
    const { web, end } = await setUp(t, [report])
    const url = await web.app.listen({ host: '127.0.0.1', port: 0 })
    const task = web.app.backgroundTasks.add(report, { a: 1, b: 2 })
    await until(async () => (await web.app.backgroundTasks.get(task.id))?.progress !== undefined)
    const response = await fetch(`${url}/tasks/${task.id}/events`)
    const chunks: string[] = []
    const decoder = new TextDecoder()
    for await (const chunk of response.body!) {
      chunks.push(decoder.decode(chunk as Uint8Array))
      goOn.resolve()
    }
    const events = chunks.join('').split('\n\n').filter(Boolean).map((event) => JSON.parse(event.split('data: ')[1]!))
    t.match(events[0], { state: 'active', progress: { step: 1 } })
    t.match(events.at(-1), { state: 'completed', result: { sum: 3 } })
    t.match(await end(task.id), { state: 'completed', attempt: 1, result: { sum: 3 }, progress: { step: 1 } })
  })

  t.test('a task that runs is cancelled by the other process, which its handler sees', async (t) => {
    const reasons: unknown[] = []
    const wait = define('wait', async (payload, { signal }) => {
      await aborted(signal).catch((reason) => {
        reasons.push(reason)
        throw reason
      })
    })
    const { web, worker, end } = await setUp(t, [wait])
    const { id } = web.app.backgroundTasks.add(wait, {})
    await until(async () => (await web.app.backgroundTasks.get(id))?.state === 'active')
    t.equal((await web.app.inject({ method: 'DELETE', url: `/tasks/${id}` })).statusCode, 200)
    t.match(await end(id), { state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } })
    await until(() => worker.log.taskLines().length > 0)
    t.match(reasons, [{ code: 'FST_BGT_CANCELLED', cause: 'cancelled by request' }])
    t.match(worker.log.taskLines(), [{ level: 'info', msg: 'background task cancelled', reason: 'cancelled by request' }])
    t.equal((await web.app.inject({ method: 'DELETE', url: `/tasks/${id}` })).statusCode, 409)
  })

  t.test('a task that is cancelled within the round trip of storing it shows what the store shows', async (t) => {
    const ran = new Set<string>()
    const quick = define('quick', (payload, task) => { ran.add(task.id) })
    const { web, end } = await setUp(t, [quick])
    const tasks = Array.from({ length: 100 }, () => web.app.backgroundTasks.add(quick, {}))
    await new Promise(setImmediate)
    for (const task of tasks) t.equal(task.cancel(), true)
    await web.app.backgroundTasks.idle()
    for (const task of tasks) {
      const { state } = await end(task.id)
      t.equal(task.state, state)
      if (state === 'completed') t.ok(ran.has(task.id))
    }
  })

  t.test('a key gives the unfinished task of the other process', async (t) => {
    const goOn = createLatch()
    const once = define('once', async () => { await goOn.promise })
    const ids: string[] = []
    const { web, open, end } = await setUp(t, [once], {}, (app) => {
      app.post('/', async (req) => {
        const task = req.backgroundTasks.add(once, {}, { key: 'k' })
        await req.backgroundTasks.flush()
        ids.push(task.id)
        return {}
      })
    })
    const other = await open({ worker: false })
    for (const { app } of [web, other]) await app.inject({ method: 'POST', url: '/' })
    t.equal(ids[0], ids[1])
    goOn.resolve()
    await end(ids[0]!)
    await web.app.inject({ method: 'POST', url: '/' })
    t.not(ids[2], ids[0])
    t.equal((await end(ids[2]!)).state, 'completed')
  })

  t.test('a delay and a priority hold on the worker', async (t) => {
    const order: string[] = []
    let laterAt = 0
    const note = define('note', ({ name }) => {
      if (name === 'later') laterAt = Date.now()
      else order.push(name)
    })
    const { web, worker, open, end } = await setUp(t, [note], { concurrency: 1 })
    await worker.app.close()
    // By the clock that the delay is kept by.
    const startedAt = Date.now()
    const tasks = [
      web.app.backgroundTasks.add(note, { name: 'later' }, { delay: 1500 }),
      web.app.backgroundTasks.add(note, { name: 'low' }, { priority: 10 }),
      web.app.backgroundTasks.add(note, { name: 'high' }, { priority: 1 })
    ]
    await until(async () => (await web.app.backgroundTasks.get(tasks[0]!.id))?.state === 'delayed')
    await open()
    for (const { id } of tasks) await end(id)
    t.same(order, ['high', 'low'])
    t.ok(laterAt - startedAt >= 1500)
  })

  t.test('retries follow our backoff and retryIf, and the last error is final', async (t) => {
    const failed: unknown[] = []
    const attempts: number[] = []
    const times: number[] = []
    const fail = define('fail', (payload, task) => {
      attempts.push(task.attempt)
      times.push(performance.now())
      throw Object.assign(new Error(`attempt ${task.attempt}`), { code: 'E_LUCK' })
    }, { retry: { retries: 5, delay: 100, factor: 2, jitter: false, retryIf: (error: Error) => error.message !== 'attempt 3' } })
    const { web, worker, end } = await setUp(t, [fail], { onError: (error, task) => { failed.push([(error as Error).message, task.attempt]) } })
    const { id } = web.app.backgroundTasks.add(fail, {})
    t.match(await end(id), { state: 'failed', attempt: 3, error: { name: 'Error', code: 'E_LUCK', message: 'attempt 3' } })
    t.same(attempts, [1, 2, 3])
    t.ok(times[1]! - times[0]! >= 98 && times[2]! - times[1]! >= 198)
    t.same(failed, [['attempt 3', 3]])
    t.same(worker.log.taskLines().map(({ level, delay }) => [level, delay]), [['warn', 100], ['warn', 200], ['error', undefined]])
  })

  t.test('a timeout aborts the signal on the worker, and counts as a failed attempt', async (t) => {
    const reasons: unknown[] = []
    const slow = define('slow', async (payload, { signal }) => {
      await aborted(signal).catch((reason) => { reasons.push(reason) })
    }, { timeout: 50 })
    const { web, end } = await setUp(t, [slow])
    const { id } = web.app.backgroundTasks.add(slow, {})
    t.match(await end(id), { state: 'failed', error: { code: 'FST_BGT_TIMEOUT' } })
    t.ok(reasons[0] instanceof errors.FST_BGT_TIMEOUT)
  })

  t.test('a task whose name the worker does not know is left for one that does', async (t) => {
    const news = define('news', () => 'done', { result: {} })
    const { worker, open } = await setUp(t, [])
    const web = await open({ worker: false, tasks: [news] })
    const { id } = web.app.backgroundTasks.add(news, {})
    const lines = (): Line[] => worker.log.lines.filter(({ task }) => task === 'news')
    await until(() => lines().length > 0)
    t.match(lines(), [{ level: 'warn', msg: 'no task of this name is registered in this worker', task: 'news' }])
    await until(async () => (await web.app.backgroundTasks.get(id))?.state === 'delayed')
    await worker.app.close()
    await open({ tasks: [news] })
    await until(async () => (await web.app.backgroundTasks.get(id))?.state === 'completed')
    t.match(await web.app.backgroundTasks.get(id), { attempt: 1, result: 'done' })
  })

  t.test('a worker that closes finishes what it can, and what it cannot runs elsewhere with the same attempt', async (t) => {
    const runs: Array<[string, number]> = []
    const active = createLatch()
    const finish = createLatch()
    const obey = define('obey', async (payload, { attempt, signal }) => {
      runs.push(['obey', attempt])
      if (runs.filter(([name]) => name === 'obey').length > 1) return
      active.resolve()
      await aborted(signal)
    })
    const quick = define('quick', async (payload, { attempt }) => {
      runs.push(['quick', attempt])
      await finish.promise
    })
    const { web, worker, open, end } = await setUp(t, [obey, quick], { closeTimeout: 300 })
    const first = web.app.backgroundTasks.add(quick, {})
    const second = web.app.backgroundTasks.add(obey, {})
    await active.promise
    await until(() => runs.length === 2)
    const closed = worker.app.close()
    finish.resolve()
    await closed
    t.equal((await web.app.backgroundTasks.get(first.id))?.state, 'completed')
    t.equal((await web.app.backgroundTasks.get(second.id))?.state, 'waiting')
    const next = await open()
    t.match(await end(second.id), { state: 'completed', attempt: 1 })
    t.same(runs.filter(([name]) => name === 'obey'), [['obey', 1], ['obey', 1]])
    t.same(next.log.taskLines().map(({ msg }) => msg), ['background task completed'])
  })

  t.test('what is given back is taken at once by a worker that waits', async (t) => {
    /** How many connections wait for a task to come. */
    const waiting = (): Promise<number> => redis.ask(async (client) => String(await client.client('LIST')).split('cmd=bzpopmin').length - 1)
    const active = createLatch()
    let runs = 0
    let isAborted = false
    const obey = define('obey', async (payload, { signal }) => {
      if (++runs > 1) return
      active.resolve()
      await aborted(signal).finally(() => { isAborted = true })
    })
    const { web, worker, open, end } = await setUp(t, [obey], { closeTimeout: 3000 })
    const { id } = web.app.backgroundTasks.add(obey, {})
    await active.promise
    await open()
    await until(async () => await waiting() === 2)
    const closed = worker.app.close()
    // Who closes and waits could be told of the task in the place of the other.
    await until(async () => await waiting() === 1)
    t.equal(isAborted, false, 'who closes waits no more, before it gives anything back')
    await closed
    const closedAt = performance.now()
    t.equal((await end(id)).state, 'completed')
    t.ok(performance.now() - closedAt < 2000, `after ${Math.round(performance.now() - closedAt)} ms`)
  })
})
