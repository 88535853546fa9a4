import { createRequire } from 'node:module'
import t, { type Test } from 'tap'
import { type HandlerTaskDefinition, defineTask } from '../../index.js'
import { type BullmqEngine, type BullmqEngineOptions, bullmqEngine } from '../../lib/bullmq.mjs'
import { completed, error, task } from '../../lib/engines/conformance/rig.js'
import { createApp } from '../support/app.js'
import { openRig } from '../support/bullmq-rig.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

t.setTimeout(90_000)

// Without types of its own.
const { Client } = createRequire(import.meta.url)('pg')

type Store = Pick<BullmqEngineOptions, 'connection' | 'postgres'>
type Definition = Pick<HandlerTaskDefinition, 'handler'> & Partial<HandlerTaskDefinition>

/** Adds so many tasks in one request, and resolves once they have ended. */
async function runAll (t: Test, store: Store, queue: string, definition: Definition, count: number): Promise<{ engine: BullmqEngine, ids: string[] }> {
  const work = defineTask({ name: 'work', payload: {}, ...definition })
  const engine = bullmqEngine({ ...store, queue })
  const app = await createApp(t, { tasks: [work], engine, storeTimeout: 60_000 })
  app.get('/', async (request) => Array.from({ length: count }, () => request.backgroundTasks.add(work, {}).id))
  await engine.queue.waitUntilReady()
  const ids = (await app.inject('/')).json() as string[]
  await until(async () => await engine.queue.getJobCountByTypes('completed', 'failed') === count, 60_000)
  return { engine, ids }
}

function stackTests (t: Test, store: Store): void {
  const unreadable = new Error('unreadable')
  Object.defineProperty(unreadable, 'stack', { get () { throw new Error('no stack') } })
  const stackless = Object.assign(new Error('odd'), { stack: 5 })

  for (const [title, thrown, stack] of [
    ['an error', () => new TypeError('from the handler \0'), /^TypeError: from the handler \ufffd\n +at .*bullmq-kept\.test\.[jt]s/],
    ['text', () => 'only text', /^Error: only text$/],
    ['an error whose stack cannot be read', () => unreadable, /^Error: unreadable$/],
    ['an error whose stack is no text', () => stackless, /^Error: odd$/]
  ] as const) {
    t.test(`a job keeps the stack of what its handler threw last, and no other: ${title}`, async (t) => {
      const definition = { retry: { retries: 3, delay: 1 }, handler () { throw thrown() } }
      const { engine, ids } = await runAll(t, store, `stack-${title.replaceAll(' ', '-')}`, definition, 1)
      const job = await engine.queue.getJob(ids[0]!)
      t.equal(job!.attemptsMade, 4)
      t.equal(job!.stacktrace!.length, 1)
      t.match(job!.stacktrace![0], stack)
    })
  }
}

function ageTests (t: Test, store: Store): void {
  t.test('a task that ended longer ago than removeAfter is removed when another one ends in the same way', async (t) => {
    const { engine, rig } = await openRig(t, { ...store, removeAfter: 1000 })
    await rig.start(({ payload }) => payload === 'fail' ? { state: 'failed', error } : completed)
    const first = [task(), task({ payload: 'fail' })]
    await engine.add(first)
    const ends = await Promise.all(first.map(async ({ id }) => Date.parse((await rig.end(id)).finishedAt!)))
    // BullMQ counts in seconds.
    await until(() => Date.now() > Math.max(...ends) + 2000)
    for (const { id } of first) t.type(await engine.get(id), Object, 'kept as long as nothing ends')
    for (const stored of [task(), task({ payload: 'fail' })]) {
      await engine.add([stored])
      await rig.end(stored.id)
      t.type(await engine.get(stored.id), Object)
    }
    for (const { id } of first) t.equal(await engine.get(id), undefined)
  })
}

/** Each completed task leaves several events, one of them with its result. */
const TASKS = 600
const MOST_EVENTS = 500
const withResult = { result: { type: 'string' }, handler: () => 'x'.repeat(1000) }

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  stackTests(t, { connection: redis.connection })
  ageTests(t, { connection: redis.connection })

  t.test('of the events, in which results are, only the last are kept', async (t) => {
    await runAll(t, { connection: redis.connection }, 'results', withResult, TASKS)
    const events = await redis.ask((client) => client.xlen('bull:results:events'))
    t.ok(events > 0 && events < MOST_EVENTS, `${events} events`)
  })
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  stackTests(t, { postgres: postgres.connectionString })
  ageTests(t, { postgres: postgres.connectionString })

  t.test('of the events, in which results are, only the last are kept', async (t) => {
    await runAll(t, { postgres: postgres.connectionString }, 'results', withResult, TASKS)
    const client = new Client({ connectionString: postgres.connectionString })
    await client.connect()
    t.teardown(() => client.end())
    const { rows: [{ count }] } = await client.query("select count(*)::integer from bullmq.event where queue = 'results'")
    t.ok(count > 0 && count < MOST_EVENTS, `${count} events`)
  })
})
