import { createRequire } from 'node:module'
import t, { type Test } from 'tap'
import type { StoredTask } from '../../index.js'
import { bullmqEngine, type BullmqEngine, type BullmqEngineOptions } from '../../lib/bullmq.mjs'
import { Rig, completed, latch, task } from '../../lib/engines/conformance/rig.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

// Without types of its own.
const { Pool } = createRequire(import.meta.url)('pg')

type Store = Pick<BullmqEngineOptions, 'connection' | 'postgres'>

let queues = 0

const circular: { self?: unknown } = {}
circular.self = circular
const unreadable = Proxy.revocable({}, {})
unreadable.revoke()

/** Reasons of cancellations, and what a worker gets. */
const reasons: Array<[given: unknown, arrives: unknown]> = [
  ['enough', 'enough'],
  ['', ''],
  [null, null],
  [{ by: 'ann', n: [1, { deep: true }] }, { by: 'ann', n: [1, { deep: true }] }],
  [new TypeError('why'), { name: 'TypeError', message: 'why' }],
  [Object.assign(new Error('late'), { code: 'E_LATE', more: 1 }), { name: 'Error', code: 'E_LATE', message: 'late' }],
  [circular, 'an object of type Object'],
  [10n, '10'],
  [NaN, 'NaN'],
  [() => {}, 'function (anonymous)'],
  [unreadable.proxy, 'an object']
]

async function open (t: Test, store: Store, queue = `engine-${queues++}`): Promise<{ engine: BullmqEngine, rig: Rig }> {
  const engine = bullmqEngine({ ...store, queue })
  const rig = new Rig(engine)
  t.teardown(() => rig.close())
  // A busy machine may need longer for the first connection than an engine lets a request wait.
  await engine.queue.waitUntilReady()
  return { engine, rig }
}

/** Starts an engine that runs one task at a time, and resolves once it runs this one, which goes on when told to. */
async function startHeld (engine: BullmqEngine, rig: Rig, stored = task()): Promise<{ goOn: { open: () => void }, stored: StoredTask }> {
  const active = latch()
  const goOn = latch()
  await rig.start(async () => {
    active.open()
    await goOn.promise
    return { state: 'completed', result: 'done' }
  }, { concurrency: 1 })
  await engine.add([stored])
  await active.promise
  return { goOn, stored }
}

/** Has something happen between the two reads that make a snapshot: of the state, and of the job. */
function afterFirstState ({ queue }: BullmqEngine, happen: () => Promise<unknown>): void {
  const getJobState = queue.getJobState.bind(queue)
  queue.getJobState = async (id) => {
    const state = await getJobState(id)
    queue.getJobState = getJobState
    await happen()
    return state
  }
}

function engineTests (t: Test, store: Store): void {
  t.test('an engine that closes while it opens leaves nothing behind that keeps the process alive', async (t) => {
    const timers = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
    const before = timers()
    for (const wait of [false, true]) {
      const { engine, rig } = await open(t, store)
      await rig.start()
      const stored = task()
      await engine.add([stored])
      if (wait) await rig.end(stored.id)
      await rig.close()
      // BullMQ's own may have a millisecond left.
      await until(() => timers() === before, 1000)
    }
  })

  t.test('the snapshot of a task that ends while it is made is that of the end', async (t) => {
    const { engine, rig } = await open(t, store)
    const { goOn, stored } = await startHeld(engine, rig)
    afterFirstState(engine, async () => {
      goOn.open()
      await rig.end(stored.id)
    })
    const { finishedAt, ...rest } = (await engine.get(stored.id))!
    t.match(rest, { state: 'completed', result: 'done' })
    t.type(finishedAt, 'string')
  })

  t.test('the snapshot of a task that is removed while it is made is none', async (t) => {
    const { engine, rig } = await open(t, store)
    const { goOn, stored } = await startHeld(engine, rig)
    const { queue } = engine
    afterFirstState(engine, async () => {
      goOn.open()
      await rig.end(stored.id)
      const getJob = queue.getJob.bind(queue)
      queue.getJob = async (id) => {
        queue.getJob = getJob
        const job = await getJob(id)
        await job!.remove()
        return job
      }
    })
    t.equal(await engine.get(stored.id), undefined)
  })

  t.test('the snapshot of a task that is run again by hand while it is made has not ended', async (t) => {
    const { engine: worker, rig } = await open(t, store)
    await rig.start(() => ({ state: 'failed', error: { name: 'Error', message: 'no luck' } }))
    const stored = task()
    await worker.add([stored])
    await rig.end(stored.id)
    await rig.close()
    const { engine } = await open(t, store, worker.queue.name)
    afterFirstState(engine, async () => { await (await engine.queue.getJob(stored.id))!.retry('failed') })
    t.match(await engine.get(stored.id), { state: 'waiting', finishedAt: undefined, error: undefined })
  })

  t.test('retries arrive as they were stored, and take no room when their backoff is the usual one', async (t) => {
    const seen: unknown[] = []
    const { engine, rig } = await open(t, store)
    await rig.start(({ retry }) => {
      seen.push(retry)
      return completed
    }, { concurrency: 1 })
    const usual = { retries: 3, delay: 1000, factor: 2, maxDelay: 30_000, jitter: true }
    const tasks = [usual, { ...usual, conditional: true }, { ...usual, jitter: false }, undefined].map((retry) => task(retry && { retry }))
    await engine.add(tasks)
    const jobs = []
    for (const { id } of tasks) {
      await rig.end(id)
      jobs.push(await engine.queue.getJob(id))
    }
    t.same(seen, tasks.map(({ retry }) => retry))
    t.same(jobs.map((job) => job?.data.retry !== undefined), [false, true, true, false])
  })

  t.test('a cancelled task has ended at the time of its cancellation, although no worker has taken it since', async (t) => {
    const { engine } = await open(t, store)
    const stored = task()
    await engine.add([stored])
    t.equal(await engine.cancel(stored.id), true)
    const { state, finishedAt } = (await engine.get(stored.id))!
    t.equal(state, 'cancelled')
    t.ok(Date.parse(finishedAt!) >= stored.createdAt)
    t.equal(await engine.cancel(stored.id), false)
  })

  t.test('a task that is cancelled while it runs frees its key at once', async (t) => {
    const { engine, rig } = await open(t, store)
    const again = task({ key: 'k' })
    const { goOn, stored } = await startHeld(engine, rig, task({ key: 'k' }))
    t.equal(await engine.cancel(stored.id), true)
    t.same(await engine.add([again]), [again.id])
    goOn.open()
    t.equal((await rig.end(again.id)).state, 'completed')
  })

  t.test('the reason of a cancellation travels as JSON, an error as its name, code and message', async (t) => {
    const { engine, rig } = await open(t, store)
    const seen = reasons.map(() => latch<unknown>())
    let runs = 0
    await rig.start(async (_, { signal }) => {
      const run = runs++
      if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
      seen[run]!.open(signal.reason)
      return { state: 'cancelled', error: { name: 'Error', message: 'cancelled' } }
    })
    for (const [index, [given, arrives]] of reasons.entries()) {
      const stored = task()
      await engine.add([stored])
      await rig.until(stored.id, ({ state }) => state === 'active')
      t.equal(await engine.cancel(stored.id, given), true)
      t.strictSame(await seen[index]!.promise, arrives)
    }
  })

  t.test('the reason of a cancellation is stored for a worker that comes later', async (t) => {
    const { engine } = await open(t, store)
    for (const [given, arrives] of reasons) {
      const stored = task()
      await engine.add([stored])
      t.equal(await engine.cancel(stored.id, given), true)
      t.strictSame((await engine.queue.getJob(stored.id))?.data.cancelled?.reason, arrives)
    }
  })

  t.test('a cancellation without a reason has that of any signal', async (t) => {
    const { engine, rig } = await open(t, store)
    const reason = latch<unknown>()
    await rig.start(async (_, { signal }) => {
      if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
      reason.open(signal.reason)
      return { state: 'cancelled', error: { name: 'Error', message: 'cancelled' } }
    })
    const stored = task()
    await engine.add([stored])
    await rig.until(stored.id, ({ state }) => state === 'active')
    t.equal(await engine.cancel(stored.id), true)
    t.match(await reason.promise, { name: 'AbortError' })
  })

  t.test('a cancellation that cannot free the key rejects', async (t) => {
    const { engine } = await open(t, store)
    const stored = task({ key: 'k' })
    await engine.add([stored])
    const problem = new Error('no store')
    engine.queue.getBackend().removeDeduplicationKey = () => Promise.reject(problem)
    await t.rejects(engine.cancel(stored.id), problem)
  })
}

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const store = { connection: redis.connection }
  engineTests(t, store)
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())

  for (const queries of [0, 1, 2, 4, 8, 16, 32]) {
    t.test(`a pool of the user's has all its clients back when the engine closes after as long as ${queries} queries take`, async (t) => {
      const pool = new Pool({ connectionString: postgres.connectionString, options: '-c search_path=bullmq' })
      const pass = async (count: number): Promise<void> => { for (let n = 0; n < count; n++) await pool.query('SELECT 1') }
      const rig = new Rig(bullmqEngine({ postgres: pool, queue: `pool-${queries}` }))
      await rig.start()
      await pass(queries)
      await rig.close()
      // As long as it takes to open.
      await pass(100)
      await until(() => pool.totalCount === pool.idleCount, 5000)
      await pool.end()
    })
  }
  const store = { postgres: postgres.connectionString }
  engineTests(t, store)
})
