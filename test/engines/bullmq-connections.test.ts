import { createRequire } from 'node:module'
import * as bullmq from 'bullmq'
import t, { type Test } from 'tap'
import { defineTask } from '../../index.js'
import { type BullmqEngine, type BullmqEngineOptions, bullmqEngine } from '../../lib/bullmq.mjs'
import { BullmqEngine as Engine } from '../../lib/engines/bullmq/engine.js'
import type { BullmqModule } from '../../lib/engines/bullmq/module.js'
import { Rig, completed, latch, task } from '../../lib/engines/conformance/rig.js'
import { createApp } from '../support/app.js'
import { type Store, openRig } from '../support/bullmq-rig.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { nextTurn } from '../support/turns.js'
import { until } from '../support/until.js'
import { Wire } from '../support/wire.js'

t.setTimeout(180_000)

// Without types of its own.
const { Pool } = createRequire(import.meta.url)('pg')

/** Notes exceptions that nobody catches until the test is over: each would end a process. */
function noteUncaught (t: Test): unknown[] {
  const uncaught: unknown[] = []
  const before = process.listeners('uncaughtException')
  const note = (error: unknown): void => { uncaught.push(error) }
  process.removeAllListeners('uncaughtException').on('uncaughtException', note)
  t.teardown(() => {
    process.off('uncaughtException', note)
    for (const listener of before) process.on('uncaughtException', listener)
  })
  return uncaught
}

function cancelTests (t: Test, store: Store): void {
  t.test('a process hears of a cancellation by its event, not only when it looks at its tasks', async (t) => {
    const { setInterval } = globalThis
    // Nothing looks at running tasks once a second.
    t.intercept(globalThis, 'setInterval', { value: (fn: () => void, ms: number) => setInterval(ms === 1000 ? () => {} : fn, ms) })
    const { engine, rig } = await openRig(t, store)
    const { engine: web } = await openRig(t, store, engine.queue.name)
    const active = latch()
    let reason: unknown
    await rig.start(async (_, { signal }) => {
      active.open()
      await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
      reason = signal.reason
      return { state: 'cancelled', error: { name: 'Error', message: 'cancelled' } }
    })
    // Of an event before its stream is open, a process hears by a look.
    let isHeard = false
    engine.watchAll(() => { isHeard = true })
    await until(() => isHeard)
    const stored = task()
    await web.add([stored])
    await active.promise
    t.equal(await web.cancel(stored.id, 'enough'), true)
    await until(() => reason !== undefined)
    t.equal(reason, 'enough')
    await rig.end(stored.id)
  })
}

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  cancelTests(t, { connection: redis.connection })

  const note = defineTask({ name: 'note', payload: {}, handler () {} })

  /** Stores a task by itself, and resolves to why that failed. */
  async function createStoring (t: Test, options: BullmqEngineOptions, storeTimeout: number): Promise<{ engine: BullmqEngine, store: (payload: unknown) => Promise<string | undefined> }> {
    const engine = bullmqEngine({ queue: t.name.replace(/\W/g, '-'), ...options })
    const app = await createApp(t, { engine, tasks: [note], worker: false, storeTimeout })
    await app.ready()
    await engine.queue.waitUntilReady()
    return {
      engine,
      async store (payload) {
        app.backgroundTasks.add(note, payload)
        return await app.backgroundTasks.flush().then(() => undefined, ({ cause }) => cause.message)
      }
    }
  }

  t.test('a connection that the network has forgotten is given up, and tasks are stored over another', async (t) => {
    const wire = await Wire.to(redis.port)
    t.teardown(() => { wire.close() })
    const { store } = await createStoring(t, { connection: { host: '127.0.0.1', port: wire.port } }, 300)
    await until(async () => await store(1) === undefined)
    wire.silence()
    t.match(await store(2), 'no answer within 300 ms')
    await until(async () => await store(3) === undefined, 30_000)
  })

  t.test('while Redis is down storing fails within its time, and what has failed is not stored once Redis is back', async (t) => {
    const { engine, store } = await createStoring(t, { connection: redis.connection }, 5000)
    await until(async () => await store('before') === undefined)
    await redis.kill()
    for (const lost of ['lost', 'lost too']) t.match(await store(lost), /max retries/)
    await redis.start()
    await until(async () => await store('after') === undefined)
    t.same((await engine.queue.getJobs()).filter(({ data }) => /lost/.test(String(data.payload))), [])
  })
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  cancelTests(t, { postgres: postgres.connectionString })

  /** What PostgreSQL is asked through a connection of its own. */
  const admin = new Pool({ connectionString: postgres.connectionString, max: 1, idleTimeoutMillis: 0 })
  admin.on('error', () => {})
  t.teardown(() => admin.end())

  /** The connection string of a server behind a wire. */
  async function wiredTo (t: Test): Promise<{ wire: Wire, connectionString: string }> {
    const url = new URL(postgres.connectionString)
    const wire = await Wire.to(Number(url.port))
    t.teardown(() => { wire.close() })
    url.port = String(wire.port)
    return { wire, connectionString: url.href }
  }

  t.test('a connection that breaks while BullMQ makes its tables ends no process, and they are made later', async (t) => {
    const uncaught = noteUncaught(t)
    const { wire, connectionString } = await wiredTo(t)
    for (const isOwn of [false, true]) {
      const pool = new Pool({ connectionString, options: '-c search_path=bullmq', max: 4 })
      await admin.query('begin')
      await admin.query('create schema if not exists bullmq')
      await admin.query('lock table bullmq.migration in access exclusive mode').catch(() => {})
      const engine = bullmqEngine({ postgres: isOwn ? pool : connectionString, queue: `tables-${isOwn}` })
      engine.start({ log: { error () {} } as never, worker: false, concurrency: undefined, history: 0, run: async () => completed })
      await until(() => wire.connections > 0)
      wire.reset()
      await nextTurn()
      await admin.query('rollback')
      await engine.queue.waitUntilReady()
      const stored = task()
      t.same(await engine.add([stored]), [stored.id])
      await engine.close()
      await pool.end()
    }
    t.same(uncaught, [])
  })

  t.test("an idle connection of the user's pool that breaks ends no process, also once the engine has closed", async (t) => {
    const uncaught = noteUncaught(t)
    const { wire, connectionString } = await wiredTo(t)
    const pool = new Pool({ connectionString, options: '-c search_path=bullmq' })
    const rig = new Rig(bullmqEngine({ postgres: pool, queue: 'idle' }))
    await rig.start()
    for (const isOpen of [true, false]) {
      await pool.query('select 1')
      if (!isOpen) await rig.close()
      wire.reset()
      await until(() => pool.idleCount === 0)
      await until(() => pool.query('select 1').then(() => true, () => false))
    }
    await pool.end()
    t.same(uncaught, [])
  })

  t.test('an engine that closes just when it begins to wait for events leaves no timer', async (t) => {
    const timers = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
    const listening = latch()
    const goOn = latch()
    const createPostgresBackend = ((...args: Parameters<BullmqModule['createPostgresBackend']>) => {
      const backend = bullmq.createPostgresBackend(...args) as any
      const { ensureListeningEvents } = backend
      backend.ensureListeningEvents = async function () {
        const client = await ensureListeningEvents.call(this)
        listening.open()
        await goOn.promise
        return client
      }
      return backend
    }) as BullmqModule['createPostgresBackend']
    const before = timers()
    const engine = new Engine({ ...bullmq, createPostgresBackend } as BullmqModule, { postgres: postgres.connectionString, queue: 'listening' })
    await engine.queue.waitUntilReady()
    engine.watchAll(() => {})
    await listening.promise
    const closed = engine.close()
    goOn.open()
    await closed
    for (let turn = 0; turn < 5; turn++) await nextTurn()
    t.ok(timers() <= before, `${before} before, ${timers()} after`)
  })
})
