import { createRequire } from 'node:module'
import * as bullmq from 'bullmq'
import t, { type Test } from 'tap'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { BullmqEngine as Engine } from '../../lib/engines/bullmq/engine.js'
import type { BullmqModule } from '../../lib/engines/bullmq/module.js'
import { Rig, completed, latch, task } from '../../lib/engines/conformance/rig.js'
import { muteBell } from '../support/bullmq-bell.js'
import { type Store, openRig as open, startHeld } from '../support/bullmq-rig.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

// Without types of its own.
const { Pool } = createRequire(import.meta.url)('pg')

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
      // BullMQ's own may have a millisecond left, those of the test before too.
      await until(() => timers() <= before, 1000)
    }
  })

  t.test('there is no snapshot of a task that was removed by hand, and none has ended that is run again by hand', async (t) => {
    const { engine, rig } = await open(t, store)
    let runs = 0
    const held = latch()
    await rig.start(async () => {
      if (++runs > 2) await held.promise
      return { state: 'failed', error: { name: 'Error', message: 'no luck' } }
    })
    const [removed, again] = [task(), task()]
    await engine.add([removed, again])
    for (const { id } of [removed, again]) t.equal((await rig.end(id)).state, 'failed')
    await (await engine.queue.getJob(removed.id))!.remove()
    await (await engine.queue.getJob(again.id))!.retry('failed')
    t.equal(await engine.get(removed.id), undefined)
    t.match(await engine.get(again.id), { state: /waiting|active/, finishedAt: undefined, error: undefined })
    held.open()
    await rig.end(again.id)
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
    const { goOn, stored } = await startHeld(rig, task({ key: 'k' }), { state: 'completed', result: 'done' })
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

  t.test('a cancellation whose bell is not heard is found all the same, with its reason', async (t) => {
    muteBell(t)
    const { engine, rig } = await open(t, store)
    const seen = new Map<string, unknown>()
    await rig.start(async ({ id }, { signal }) => {
      if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
      seen.set(id, signal.reason)
      return { state: 'cancelled', error: { name: 'Error', message: 'cancelled' } }
    }, { concurrency: reasons.length })
    const tasks = reasons.map(() => task())
    await engine.add(tasks)
    for (const [index, { id }] of tasks.entries()) {
      await until(async () => (await engine.get(id))?.state === 'active')
      t.equal(await engine.cancel(id, reasons[index]![0]), true)
    }
    for (const [index, { id }] of tasks.entries()) {
      await until(async () => (await engine.get(id))?.finishedAt !== undefined)
      t.match(await engine.get(id), { state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } })
      t.strictSame(seen.get(id), reasons[index]![1])
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

  t.test("engines leave a pool of the user's as many listeners as one of them does", async (t) => {
    const pool = new Pool({ connectionString: postgres.connectionString, options: '-c search_path=bullmq' })
    const counts: number[][] = []
    for (const round of [1, 2, 3]) {
      const rig = new Rig(bullmqEngine({ postgres: pool, queue: 'listeners' }))
      await rig.start()
      const stored = task()
      await rig.engine.add([stored])
      await rig.end(stored.id)
      await rig.close()
      counts.push(pool.eventNames().map((name: string) => pool.listenerCount(name)))
      t.same(counts.at(-1), counts[0], `round ${round}`)
    }
    await pool.end()
  })

  t.test('a task is given back by a worker that has it before the engine knows of its connection', async (t) => {
    class LateWorker<Data> extends bullmq.Worker<Data> {
      override waitUntilReady (): Promise<never> {
        return new Promise(() => {})
      }
    }
    const options = { postgres: postgres.connectionString, queue: 'late-worker' }
    const late = new Rig(new Engine({ ...bullmq, Worker: LateWorker } as BullmqModule, options))
    const [running, closing] = [latch(), latch()]
    await late.start(async () => {
      running.open()
      await closing.promise
      return { state: 'interrupted' }
    })
    const stored = task()
    await late.engine.add([stored])
    await running.promise
    const closed = late.close()
    closing.open()
    await closed
    const other = new Rig(bullmqEngine(options))
    t.teardown(() => other.close())
    await other.start(undefined, { worker: false })
    t.equal((await other.until(stored.id, () => true)).state, 'waiting')
  })

  const store = { postgres: postgres.connectionString }
  engineTests(t, store)
})
