import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import t, { type Test } from 'tap'
import type { EnginePage, EngineQuery } from '../../index.js'
import type { BullmqEngine } from '../../lib/bullmq.mjs'
import { completed, error, latch, task } from '../../lib/engines/conformance/rig.js'
import { type Store, openRig } from '../support/bullmq-rig.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

t.setTimeout(240_000)

// Without types of its own.
const { Pool } = createRequire(import.meta.url)('pg')

async function pagesOf (engine: BullmqEngine, query: EngineQuery): Promise<EnginePage[]> {
  const pages: EnginePage[] = []
  let cursor: string | undefined
  do {
    const page = await engine.list({ ...query, ...(cursor !== undefined && { cursor }) })
    pages.push(page)
    cursor = page.cursor
  } while (cursor !== undefined)
  return pages
}

async function idsOf (engine: BullmqEngine, query: EngineQuery): Promise<string[]> {
  return (await pagesOf(engine, query)).flatMap(({ tasks }) => tasks.map(({ id }) => id))
}

const zeros = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 }

function overviewTests (t: Test, store: Store): void {
  t.test('of many jobs a call looks at no more than 1000, and the pages hold every task once', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const batch = Array.from({ length: 2500 }, (_, index) => task({ name: index % 500 === 0 ? 'rare' : 'common', payload: 'secret' }))
    await engine.add(batch)
    await rig.start(undefined, { worker: false })
    const ids = batch.map(({ id }) => id)
    t.same(await idsOf(engine, { state: 'waiting', limit: 200 }), ids)
    const pages = await pagesOf(engine, { state: 'waiting', name: 'rare', limit: 200 })
    t.same(pages.map(({ scanned }) => scanned), [1000, 1000, 500])
    t.same(pages.flatMap(({ tasks }) => tasks.map(({ id }) => id)), ids.filter((_, index) => index % 500 === 0))
    t.notMatch(JSON.stringify(pages), 'secret')
    t.same(await engine.counts(), { ...zeros, waiting: 2500 })
  })

  t.test('tasks with a priority wait behind those without, and a page goes on among them', async (t) => {
    const { engine } = await openRig(t, store)
    const batch = [task({ priority: 2 }), task(), task({ priority: 1 }), task(), task({ priority: 1 })]
    await engine.add(batch)
    const ids = [1, 3, 2, 4, 0].map((index) => batch[index]!.id)
    for (const limit of [1, 2, 5]) t.same(await idsOf(engine, { state: 'waiting', limit }), ids)
    // Its last task has gone.
    const { cursor } = await engine.list({ state: 'waiting', limit: 3 })
    t.equal(await engine.cancel(ids[2]!), true)
    t.same((await engine.list({ state: 'waiting', limit: 3, cursor: cursor! })).tasks.map(({ id }) => id), ids.slice(3))
    const waiting = await engine.list({ state: 'waiting', limit: 1 })
    t.equal(await engine.cancel(ids[0]!), true)
    t.same((await engine.list({ state: 'waiting', limit: 3, cursor: waiting.cursor! })).tasks.map(({ id }) => id), [ids[1], ids[3], ids[4]])
  })

  t.test('a page of finished tasks goes on although its last one has been run again meanwhile', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const gate = latch()
    await rig.start(async ({ id }) => {
      if (rig.runs.filter((run) => run.id === id).length > 1) await gate.promise
      return { state: 'failed', error }
    }, { concurrency: 1 })
    const ids: string[] = []
    for (let count = 0; count < 4; count++) {
      const stored = task()
      await engine.add([stored])
      ids.unshift((await rig.end(stored.id)).id)
    }
    const { tasks, cursor } = await engine.list({ state: 'failed', limit: 2 })
    t.same(tasks.map(({ id }) => id), ids.slice(0, 2))
    t.equal(await engine.retry(ids[1]!), true)
    t.same((await engine.list({ state: 'failed', limit: 2, cursor: cursor! })).tasks.map(({ id }) => id), ids.slice(2))
    gate.open()
    await rig.end(ids[1]!)
  })

  t.test('a page leaves out large results and progress, which get shows', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const large = 'x'.repeat(5000)
    await rig.start(({ payload }, { progress }) => {
      progress(payload)
      return { state: 'completed', result: payload }
    })
    for (const payload of [large, 'small']) {
      const stored = task({ payload })
      await engine.add([stored])
      t.match(await rig.end(stored.id), { result: payload, progress: payload })
      const page = await engine.list({ state: 'completed', limit: 1 })
      t.match(page.tasks, [{ id: stored.id, ...(payload === large ? { result: undefined, progress: undefined } : { result: payload, progress: payload }) }])
    }
  })

  t.test('the id of a request is read without the payload, a number among them comes back as it was', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const seen: unknown[] = []
    await rig.start(({ reqId }) => {
      seen.push(reqId)
      return completed
    })
    const large = 1_234_567_890_123_456 as unknown as string
    for (const reqId of ['req-ü/"1"', large]) {
      const stored = task({ reqId })
      await engine.add([stored])
      await rig.end(stored.id)
    }
    t.same(seen, ['req-ü/"1"', large])
    t.match((await engine.list({ state: 'completed', limit: 5 })).tasks.map(({ reqId }) => reqId), [undefined, 'req-ü/"1"'])
  })

  t.test('jobs of other programs that are no tasks are not listed', async (t) => {
    const { engine } = await openRig(t, store)
    await engine.queue.add('foreign', 5 as never, { jobId: 'no-task' })
    const stored = task()
    await engine.add([stored])
    t.same(await idsOf(engine, { state: 'waiting', limit: 5 }), [stored.id])
  })

  t.test('a cursor may be used again, with another limit too, and after more tasks have come', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const batch = Array.from({ length: 6 }, () => task())
    await engine.add(batch)
    const ids = batch.map(({ id }) => id)
    const idsFrom = async (query: EngineQuery): Promise<string[]> => (await engine.list(query)).tasks.map(({ id }) => id)
    const { cursor: waiting } = await engine.list({ state: 'waiting', limit: 2 })
    for (const limit of [2, 2, 3, 4]) t.same(await idsFrom({ state: 'waiting', limit, cursor: waiting! }), ids.slice(2, 2 + limit))
    const later = task()
    await engine.add([later])
    t.same(await idsFrom({ state: 'waiting', limit: 10, cursor: waiting! }), [...ids.slice(2), later.id])
    await rig.start(undefined, { concurrency: 1 })
    await rig.end(later.id)
    const { cursor: completed } = await engine.list({ state: 'completed', limit: 2 })
    const before = await idsFrom({ state: 'completed', limit: 10, cursor: completed! })
    t.equal(before.length, 5)
    const last = task()
    await engine.add([last])
    await rig.end(last.id)
    t.same(await idsFrom({ state: 'completed', limit: 10, cursor: completed! }), before)
    t.same((await idsFrom({ state: 'completed', limit: 1 })), [last.id])
    // Nobody waits any more.
    t.same(await idsFrom({ state: 'waiting', limit: 10, cursor: waiting! }), [])
  })

  t.test('a cursor that somebody has changed is refused, or gives a page', async (t) => {
    const { engine } = await openRig(t, store)
    await engine.add([task(), task({ priority: 1 }), task({ delay: 60_000 })])
    const numbers = ['0', '1.5', '1.2.3', '1e5', '1e+15', '1e+999', 'e+', '-1', 'inf', '9'.repeat(15), '9'.repeat(18), '9'.repeat(30), '']
    const cursors = numbers.flatMap((number) => [
      ...['1', '2', '3', '4'].map((source) => `${source}:${number}:${randomUUID()}`), `${number}:1`, `1:${number}`, `${number}:${number}:`
    ])
    const found = { pages: 0, refused: 0 }
    for (const state of ['waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled'] as const) {
      for (const cursor of cursors) {
        await engine.list({ state, limit: 5, cursor }).then(() => { found.pages++ }, (error) => {
          found.refused++
          t.equal(error.code, 'FST_BGT_INVALID_OPTIONS', `${state} ${cursor}: ${error.message}`)
        })
      }
    }
    t.ok(found.pages > 0 && found.refused > 0)
  })

  t.test('a task that waits or is delayed ends when it is cancelled, without a worker, and can run again', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const events: unknown[] = []
    const batch = [task(), task({ priority: 5, key: 'k' }), task({ delay: 60_000 })]
    await engine.add(batch)
    const ends = batch.map(({ id }) => engine.watch(id, () => { events.push(id) }))
    const ids = batch.map(({ id }) => id)
    for (const id of ids) t.equal(await engine.cancel(id, 'not needed'), true)
    t.same(await engine.counts(), { ...zeros, failed: 3 })
    t.same((await idsOf(engine, { state: 'cancelled', limit: 5 })).sort(), [...ids].sort())
    t.same(await idsOf(engine, { state: 'failed', limit: 5 }), [])
    for (const id of ids) {
      t.match(await engine.get(id), { state: 'cancelled', attempt: 1, startedAt: undefined, finishedAt: /Z$/ })
      t.equal(await engine.cancel(id), false)
    }
    await until(() => ids.every((id) => events.includes(id)))
    for (const end of ends) end()
    for (const id of ids) t.equal(await engine.retry(id), true)
    t.same(await engine.counts(), { ...zeros, waiting: 3 })
    await rig.start()
    for (const id of ids) t.match(await rig.end(id), { state: 'completed', attempt: 1 })
  })

  t.test('in a queue that is paused a task that is run again waits', async (t) => {
    const { engine, rig } = await openRig(t, store)
    let isLucky = false
    await rig.start(() => isLucky ? completed : { state: 'failed', error })
    const batch = [task(), task({ priority: 1 })]
    await engine.add(batch)
    for (const { id } of batch) await rig.end(id)
    isLucky = true
    await engine.queue.pause()
    for (const { id } of batch) t.equal(await engine.retry(id), true)
    t.same(await idsOf(engine, { state: 'waiting', limit: 5 }), batch.map(({ id }) => id))
    await engine.queue.resume()
    for (const { id } of batch) t.equal((await rig.end(id)).state, 'completed')
  })

  t.test('a worker that is idle takes a task that is run again, whether it failed or was cancelled while it ran', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const { engine: web } = await openRig(t, store, engine.queue.name)
    const active = latch()
    await rig.start(async ({ id, payload }, { signal, attempt }) => {
      if (rig.runs.filter((run) => run.id === id).length > 1) return { state: 'completed', result: attempt }
      if (payload === 'fail') return { state: 'failed', error: { ...error, code: 'E_LUCK' } }
      active.open()
      if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
      return { state: 'cancelled', error }
    })
    const [failed, cancelled] = [task({ payload: 'fail' }), task({ payload: 'block' })]
    await engine.add([failed])
    await rig.end(failed.id)
    await engine.add([cancelled])
    await active.promise
    await web.cancel(cancelled.id)
    await rig.end(cancelled.id)
    for (const { id } of [failed, cancelled]) {
      t.equal(await web.retry(id), true)
      t.match(await rig.end(id), { state: 'completed', attempt: 1, result: 1, error: undefined })
      const job = await engine.queue.getJob(id)
      t.match(job, { failedReason: undefined, attemptsMade: 1, attemptsStarted: 1 })
      t.match(job!.stacktrace ?? [], { length: 0 })
    }
  })

  t.test('a task that is run again is due now, not when it was first due', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const delays: unknown[] = []
    await rig.start(({ delay }) => {
      delays.push(delay)
      return { state: 'failed', error }
    })
    const stored = task({ createdAt: Date.now() - 7_200_000 })
    await engine.add([stored])
    await rig.end(stored.id)
    t.equal(await engine.retry(stored.id), true)
    await rig.end(stored.id)
    t.equal(delays[0], undefined)
    t.ok(Number(delays[1]) >= 7_200_000)
  })

  t.test('a key that belongs to a job which is gone does not keep a task from being run again', async (t) => {
    const { engine, rig } = await openRig(t, store)
    await rig.start(() => ({ state: 'failed', error }))
    const [first, second] = [task({ key: 'k' }), task({ key: 'k', delay: 60_000 })]
    await engine.add([first])
    await rig.end(first.id)
    await engine.add([second])
    t.equal(await engine.retry(first.id), false)
    await loseJob(engine, second.id)
    t.equal(await engine.retry(first.id), true)
    await rig.end(first.id)
  })

  t.test('retry, list and counts reject where the store cannot be reached', async (t) => {
    const { engine } = await openRig(t, store)
    await engine.close()
    if (store.connection !== undefined) {
      const questions: Array<Promise<unknown>> = [engine.list({ state: 'failed', limit: 1 }), engine.counts(), engine.retry(randomUUID())]
      for (const asked of questions) await t.rejects(asked)
    }
    t.equal(await engine.retry('no-task'), false)
  })

  /** As an outage does that loses the job but not its key. */
  async function loseJob (engine: BullmqEngine, id: string): Promise<void> {
    const backend = engine.queue.getBackend()
    if (store.postgres === undefined) {
      await (await backend.client).del(`${backend.keys['']}${id}`)
    } else {
      await (backend as unknown as { query: (text: string, values: unknown[]) => Promise<unknown> }).query('DELETE FROM job WHERE id = $1', [id])
    }
  }
}

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const store = { connection: redis.connection }
  overviewTests(t, store)

  t.test('a cancelled task in a long list is left to a worker, is not listed as waiting, and can run again before', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const batch = Array.from({ length: 1001 }, () => task())
    await engine.add(batch)
    const [first, second] = batch
    for (const { id } of [first!, second!]) t.equal(await engine.cancel(id), true)
    t.match(await engine.get(first!.id), { state: 'cancelled', attempt: 1, finishedAt: /Z$/ })
    t.same(await engine.counts(), { ...zeros, waiting: 1001 })
    t.same((await idsOf(engine, { state: 'waiting', limit: 200 })).length, 999)
    t.equal(await engine.retry(first!.id), true)
    t.match(await engine.get(first!.id), { state: 'waiting', attempt: 1 })
    await rig.start()
    t.match(await rig.end(first!.id), { state: 'completed', attempt: 1 })
    await until(async () => (await engine.queue.getJobState(second!.id)) === 'failed')
    t.match(await engine.get(second!.id), { state: 'cancelled', attempt: 1, startedAt: undefined })
    await rig.end(batch.at(-1)!.id)
  })

  t.test('beyond the jobs that are searched for that of a cursor, its place counts', async (t) => {
    const { engine } = await openRig(t, store)
    const stored = task()
    await engine.add([stored])
    t.same((await engine.list({ state: 'waiting', limit: 5, cursor: `1:0:${randomUUID()}` })).tasks.map(({ id }) => id), [stored.id])
    t.same((await engine.list({ state: 'waiting', limit: 5, cursor: `1:200000:${randomUUID()}` })).tasks, [])
  })

  t.test('with a limit of jobs at once for all workers a task that is run again waits for its turn', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const gate = latch()
    let isLucky = false
    await rig.start(async ({ payload }) => {
      if (payload === 'block') await gate.promise
      return isLucky || payload === 'block' ? completed : { state: 'failed', error }
    })
    const [stored, blocker] = [task(), task({ payload: 'block' })]
    await engine.add([stored])
    await rig.end(stored.id)
    isLucky = true
    await engine.queue.setGlobalConcurrency(1)
    await engine.add([blocker])
    await rig.until(blocker.id, ({ state }) => state === 'active')
    t.equal(await engine.retry(stored.id), true)
    t.equal((await engine.get(stored.id))?.state, 'waiting')
    gate.open()
    t.equal((await rig.end(stored.id)).state, 'completed')
  })
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  overviewTests(t, { postgres: postgres.connectionString })

  t.test('a retry waits for an add of the same key that is not committed yet, and gives way to it', async (t) => {
    const { engine, rig } = await openRig(t, { postgres: postgres.connectionString })
    const pool = new Pool({ connectionString: postgres.connectionString })
    t.teardown(() => pool.end())
    await rig.start(() => ({ state: 'failed', error }))
    for (const end of ['commit', 'rollback']) {
      const [first, second] = [task({ key: 'k' }), task({ key: 'k', delay: 60_000 })]
      await engine.add([first])
      await rig.end(first.id)
      const client = await pool.connect()
      await client.query('begin')
      await engine.add([second], { client })
      const retried = engine.retry(first.id)
      const isWaiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
      await until(async () => (await pool.query(isWaiting)).rowCount === 1)
      await client.query(end)
      client.release()
      t.equal(await retried, end === 'rollback')
      t.equal((await engine.get(second.id))?.state, end === 'commit' ? 'delayed' : undefined)
      await rig.end(first.id)
      await engine.cancel(second.id)
    }
  })
})
