import { createRequire } from 'node:module'
import t, { type Test } from 'tap'
import type { StoredCounts } from '../../index.js'
import { task } from '../../lib/engines/conformance/rig.js'
import { JobCounts } from '../../lib/engines/bullmq/postgres-counts.js'
import { openRig } from '../support/bullmq-rig.js'
import { useFakeClock } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'

t.setTimeout(240_000)

// Without types of its own.
const { Client } = createRequire(import.meta.url)('pg')

const none = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 }

interface CountedStore {
  counts: JobCounts
  /** The numbers that the store has. */
  store: StoredCounts
  /** The states that each statement has counted. */
  asked: string[]
  tick: (ms: number) => void
}

/** A store that takes `costMs` for each statement. `hold`: what a statement waits for. */
function createCounts (t: Test, costMs: number, hold: () => Promise<void> = async () => {}): CountedStore {
  const tick = useFakeClock(t)
  const store = { ...none }
  const asked: string[] = []
  async function query (text: string): Promise<any[]> {
    const states = [...text.matchAll(/AS state, count.*?state = '(\w+)'/g)].map(([, state]) => state as keyof StoredCounts)
    asked.push(states.join(' '))
    tick(costMs)
    const rows = states.map((state) => ({ state, count: String(store[state]) }))
    await hold()
    return rows
  }
  return { counts: new JobCounts(query), store, asked, tick }
}

t.test('up to 10 000 jobs of a state are counted each time, whatever it costs', async (t) => {
  const { counts, store, asked } = createCounts(t, 500)
  for (const completed of [9999, 10_000, 7]) {
    store.completed = completed
    t.same(await counts.read(), { ...none, completed })
  }
  t.same(asked, Array(3).fill('waiting active delayed completed failed'))
})

t.test('a larger number is kept twenty times as long as counting it took, and the other states are counted all the same', async (t) => {
  const { counts, store, asked, tick } = createCounts(t, 100)
  Object.assign(store, { completed: 750_000, failed: 250_000 })
  t.same(await counts.read(), { ...none, completed: 750_000, failed: 250_000 })
  Object.assign(store, { completed: 750_001, failed: 250_001, active: 1 })
  t.same(await counts.read(), { ...none, completed: 750_000, failed: 250_000, active: 1 })
  tick(499 - 100)
  t.match(await counts.read(), { completed: 750_000, failed: 250_000 })
  t.match(await counts.read(), { completed: 750_000, failed: 250_001 }, 'a quarter of 20 x 100 ms is over')
  tick(1500)
  t.match(await counts.read(), { completed: 750_001 })
  t.same(asked.slice(0, 4), ['waiting active delayed completed failed', 'waiting active delayed', 'waiting active delayed', 'waiting active delayed failed'])
})

t.test('a number that is not large any more is counted each time', async (t) => {
  const { counts, store, tick } = createCounts(t, 1)
  store.waiting = 10_001
  t.match(await counts.read(), { waiting: 10_001 })
  store.waiting = 5
  tick(20)
  t.match(await counts.read(), { waiting: 5 })
  store.waiting = 6
  t.match(await counts.read(), { waiting: 6 })
})

t.test('while large numbers are counted anew, others who ask get those before, and none counts them a second time', async (t) => {
  let held = createLatch()
  held.resolve()
  const { counts, store, asked, tick } = createCounts(t, 10, () => held.promise)
  for (const state of Object.keys(none) as Array<keyof StoredCounts>) store[state] = 20_000
  await counts.read()
  tick(1000)
  held = createLatch()
  store.failed = 30_000
  const first = counts.read()
  t.match(await counts.read(), { failed: 20_000 })
  t.equal(asked.length, 2)
  held.resolve()
  t.match(await first, { failed: 30_000 })
  t.match(await counts.read(), { failed: 30_000 })
  t.equal(asked.length, 2)
})

t.test('when counting fails, nothing is kept of it', async (t) => {
  const cause = new Error('away')
  let isAway = false
  const { counts, store, tick } = createCounts(t, 10, async () => { if (isAway) throw cause })
  store.completed = 20_000
  await counts.read()
  tick(1000)
  isAway = true
  await t.rejects(counts.read(), cause)
  isAway = false
  store.completed = 30_000
  t.match(await counts.read(), { completed: 30_000 })
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  const { connectionString } = postgres
  const { engine } = await openRig(t, { postgres: connectionString }, 'many')
  const client = new Client({ connectionString, options: '-c search_path=bullmq' })
  await client.connect()
  t.teardown(() => client.end())
  const insert = (count: number, state: string): Promise<unknown> => client.query(`
    INSERT INTO job (queue, id, seq, name, state, added_at_ms, processed_at_ms, finished_at_ms, process_at_ms)
    SELECT 'many', gen_random_uuid(), nextval('job_seq'), 'n' || n, $2::job_state, n, n, n, n FROM generate_series(1, $1::integer) AS n`, [count, state])
  for (const state of ['completed', 'failed', 'waiting', 'delayed']) await insert(20_000, state)
  await client.query('ANALYZE job')

  t.test('a few jobs more of a state with few are seen at once', async (t) => {
    t.same(await engine.counts(), { waiting: 20_000, active: 0, delayed: 20_000, completed: 20_000, failed: 20_000 })
    await insert(3, 'active')
    t.match(await engine.counts(), { active: 3 })
    const stored = task()
    await engine.add([stored])
    t.match(await engine.counts(), { active: 3 })
  })

  /** The statements that the engine sends meanwhile, with their values. */
  async function noteStatements (use: () => Promise<unknown>): Promise<Array<[text: string, values: unknown[]]>> {
    const backend = engine.queue.getBackend() as any
    const { query } = backend
    const statements: Array<[string, unknown[]]> = []
    backend.query = async function (text: string, values: unknown[]) {
      statements.push([text, values])
      return await query.call(this, text, values)
    }
    await use()
    backend.query = query
    return statements
  }

  /** The steps of a plan, as PostgreSQL names them. */
  const stepsOf = (plan: any): any[] => [plan, ...(plan.Plans ?? []).flatMap(stepsOf)]

  for (const state of ['waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled'] as const) {
    t.test(`a page of ${state} tasks, also a later one, is read by an index and not by the way of other tasks`, async (t) => {
      const later = state === 'waiting' ? '0:500' : '10000:500'
      for (const query of [{}, { name: 'n7' }, { cursor: later }]) {
        for (const [text, values] of await noteStatements(() => engine.list({ state, limit: 50, ...query }))) {
          const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, values)
          const [{ Plan: plan }] = rows[0]['QUERY PLAN']
          for (const step of stepsOf(plan).filter((step) => step['Relation Name'] === 'job')) {
            t.match(step['Node Type'], /^(?:Bitmap Heap|Index(?: Only)?) Scan$/)
            t.ok(step['Actual Rows'] <= 1100, `${step['Actual Rows']} rows`)
          }
        }
      }
    })
  }
})
