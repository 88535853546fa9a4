import t, { type Test } from 'tap'
import { type HandlerTaskDefinition, type TaskSnapshot, defineTask } from '../../index.js'
import { type BullmqEngineOptions, bullmqEngine } from '../../lib/bullmq.mjs'
import { createApp } from '../support/app.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

t.setTimeout(90_000)

const BAD = 'nul \0, half \ud83d'
const KEPT = 'nul \ufffd, half \ufffd'

type Definition = Pick<HandlerTaskDefinition, 'handler'> & Partial<HandlerTaskDefinition>
type Store = Pick<BullmqEngineOptions, 'connection' | 'postgres'>

let queues = 0

interface Ended {
  snapshot: TaskSnapshot
  /** Attempts. */
  runs: number
  /** Calls of `onError`. */
  failures: number
}

/** Adds a task in a request, and resolves once it has ended. `cancelled`: with this reason, once it runs. */
async function runToEnd (t: Test, store: Store, definition: Definition, payload: unknown = {}, cancelled?: [reason: unknown]): Promise<Ended> {
  let runs = 0
  let ended = 0
  let failures = 0
  const work = defineTask({
    name: 'work',
    payload: {},
    ...definition,
    async handler (payload, task) {
      runs++
      try {
        return await definition.handler.call(this, payload, task)
      } finally {
        ended++
      }
    }
  })
  const engine = bullmqEngine({ ...store, queue: `text-${queues++}` })
  const onError = (): void => { failures++ }
  const app = await createApp(t, { tasks: [work], engine, storeTimeout: 30_000, onError }, { genReqId: () => BAD })
  app.get('/', async (request) => {
    const { id } = request.backgroundTasks.add(work, payload)
    return { id }
  })
  await engine.queue.waitUntilReady()
  const response = await app.inject('/')
  t.equal(response.statusCode, 200)
  const { id } = response.json()
  let snapshot: TaskSnapshot | undefined
  const get = async (): Promise<TaskSnapshot | undefined> => { return (snapshot = await app.backgroundTasks.get(id)) }
  if (cancelled !== undefined) {
    await until(() => runs > 0)
    t.equal(await app.backgroundTasks.cancel(id, ...cancelled), true)
  }
  // A cancelled task has ended as soon as it is marked, and its handler later.
  await until(async () => (await get())?.finishedAt !== undefined && ended === runs)
  await app.close()
  return { snapshot: snapshot!, runs, failures }
}

function named (name: string): Error {
  return Object.assign(new Error('of the handler'), { name })
}

function textTests (t: Test, store: Store): void {
  for (const [title, thrown] of [
    ['DelayedError', named('DelayedError')],
    ['WaitingError', named('WaitingError')],
    ['WaitingChildrenError', named('WaitingChildrenError')],
    ['UnrecoverableError', named('UnrecoverableError')],
    ['rate limit', new Error('bullmq:rateLimitExceeded')]
  ] as const) {
    for (const retries of [0, 1]) {
      t.test(`an error that looks like BullMQ's own is one like any other: ${title}, retries: ${retries}`, async (t) => {
        const { snapshot, runs, failures } = await runToEnd(t, store, { retry: { retries, delay: 1 }, async handler () { throw thrown } })
        t.match(snapshot, { state: 'failed', attempt: 1 + retries, error: { name: thrown.name, message: thrown.message } })
        t.equal(runs, 1 + retries)
        t.equal(failures, 1)
      })
    }
  }

  for (const retry of [0, { retries: 1, delay: 1 }]) {
    t.test(`a task whose error a store cannot keep fails once, retry: ${JSON.stringify(retry)}`, async (t) => {
      const { snapshot, runs, failures } = await runToEnd(t, store, {
        retry,
        handler () {
          const error = Object.assign(new Error(BAD), { code: BAD })
          error.name = BAD
          throw error
        }
      })
      t.match(snapshot, { state: 'failed', error: { name: KEPT, code: KEPT, message: KEPT } })
      t.equal(failures, 1)
      t.equal(runs, retry === 0 ? 1 : 2)
    })
  }

  t.test('a task whose result and progress a store cannot keep completes at once', async (t) => {
    const { snapshot, runs } = await runToEnd(t, store, {
      result: { type: 'object', additionalProperties: true },
      retry: 2,
      handler (payload, task) {
        task.progress({ at: BAD })
        return { text: BAD, list: [{ [BAD]: '\\u0000' }] }
      }
    })
    t.match(snapshot, { state: 'completed', attempt: 1, progress: { at: KEPT } })
    t.strictSame(snapshot.result, { text: KEPT, list: [{ [KEPT]: '\\u0000' }] })
    t.equal(runs, 1)
  })

  for (const [title, reason, arrives] of [
    ['text', BAD, KEPT],
    ['an error', new Error(BAD), { name: 'Error', message: KEPT }],
    ['an object', { a: [BAD] }, { a: [KEPT] }],
    ['what JSON cannot say', Symbol(BAD), `Symbol(${KEPT})`]
  ] as const) {
    t.test(`a cancellation has its effect although a store cannot keep the reason: ${title}`, async (t) => {
      let seen: unknown
      const { snapshot } = await runToEnd(t, store, {
        async handler (payload, { signal }) {
          await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
          seen = signal.reason.cause
        }
      }, {}, [reason])
      t.equal(snapshot.state, 'cancelled')
      t.strictSame(seen, arrives)
    })
  }

  t.test('a payload of 1000 levels runs, and text that looks like what is refused arrives as it is', async (t) => {
    let deep: unknown = ['\\u0000 \\ud83d 😀']
    for (let level = 1; level < 1000; level++) deep = level % 2 === 0 ? { deep } : [deep]
    let seen: unknown
    const { snapshot } = await runToEnd(t, store, { retry: 1, handler (payload) { seen = payload } }, deep)
    t.equal(snapshot.state, 'completed')
    t.equal(JSON.stringify(seen), JSON.stringify(deep))
  })

  t.test('the largest priority and number of retries are stored', async (t) => {
    const work = defineTask({ name: 'work', payload: {}, handler () {} })
    const engine = bullmqEngine({ ...store, queue: `text-${queues++}` })
    const app = await createApp(t, { tasks: [work], engine, worker: false, storeTimeout: 30_000 })
    app.get('/', async (request) => {
      request.backgroundTasks.add(work, {}, { priority: 2 ** 21 - 1, retry: 2 ** 31 - 2, key: '\\u0000' })
    })
    await engine.queue.waitUntilReady()
    t.equal((await app.inject('/')).statusCode, 200)
  })
}

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  textTests(t, { connection: redis.connection })
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  textTests(t, { postgres: postgres.connectionString })
})
