import t, { type Test } from 'tap'
import type { TaskSnapshot } from '../../index.js'
import { completed, latch, task } from '../../lib/engines/conformance/rig.js'
import { muteBell } from '../support/bullmq-bell.js'
import { type Store, openRig, startHeld } from '../support/bullmq-rig.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

t.setTimeout(90_000)

const RACES = 300
const AT_ONCE = 10

function cancelTests (t: Test, store: Store): void {
  t.test(`of ${RACES} tasks that are cancelled about when they end, none completes whose cancellation had an effect`, async (t) => {
    const { engine: worker, rig } = await openRig(t, store)
    const { engine: web } = await openRig(t, store, worker.queue.name)
    const finish = new Map<string, () => void>()
    const running = new Map<string, () => void>()
    await rig.start(async ({ id }) => {
      const held = latch()
      finish.set(id, held.open)
      running.get(id)!()
      await held.promise
      return completed
    }, { concurrency: AT_ONCE })
    const counts = { cancelled: 0, completed: 0 }
    const contradictions: unknown[] = []

    async function race (turns: number): Promise<void> {
      const stored = task()
      const { id } = stored
      const active = latch()
      running.set(id, active.open)
      await worker.add([stored])
      await active.promise
      const seen: TaskSnapshot[] = []
      // Some cancellations come first, some ends.
      const [first, second] = turns > 0 ? [finish.get(id)!, cancel] : [cancel, finish.get(id)!]
      let outcome: Promise<boolean> | undefined
      function cancel (): void { outcome = web.cancel(id) }
      first()
      for (let turn = 0; turn < Math.abs(turns); turn++) await new Promise(setImmediate)
      second()
      const isCancelled = await outcome!
      await until(async () => {
        seen.push((await web.get(id))!)
        return seen.at(-1)!.finishedAt !== undefined
      })
      seen.push((await web.get(id))!)
      const states = seen.map(({ state }) => state)
      const final = isCancelled ? 'cancelled' : 'completed'
      counts[final]++
      const ends = states.filter((state) => state !== 'active')
      if (ends.length === 0 || ends.some((state) => state !== final)) contradictions.push([isCancelled, turns, states])
    }

    let races = 0
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (races < RACES) await race(races++ % 9 - 4)
    }))
    t.same(contradictions, [])
    t.ok(counts.cancelled > 0 && counts.completed > 0, JSON.stringify(counts))
  })

  t.test('a task that is cancelled while it runs is active until its worker has said how it ended, then cancelled', async (t) => {
    const { engine: worker, rig } = await openRig(t, store)
    const { engine: web } = await openRig(t, store, worker.queue.name)
    const { goOn, stored } = await startHeld(rig, task(), { state: 'completed', result: 'ignored its signal' })
    t.equal(await web.cancel(stored.id), true)
    t.match(await web.get(stored.id), { state: 'active', finishedAt: undefined, error: undefined })
    t.equal(await web.cancel(stored.id), true, 'it has not ended')
    goOn.open()
    t.match(await rig.end(stored.id), { state: 'cancelled', attempt: 1, error: { code: 'FST_BGT_CANCELLED' }, result: undefined })
    t.equal(await web.cancel(stored.id), false)
  })

  t.test('nothing is cancelled that has been removed meanwhile, or has an id that is none', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const { goOn, stored } = await startHeld(rig)
    t.equal(await engine.cancel(stored.id), true)
    const { get } = engine
    engine.get = async () => undefined
    t.equal(await engine.cancel(stored.id), false)
    t.equal(await engine.cancel('wait'), false)
    engine.get = get
    goOn.open()
    await rig.end(stored.id)
  })

  t.test('a cancelled task whose attempt fails, or is given back, does not run again', async (t) => {
    const error = { name: 'Error', message: 'no luck' }
    const retry = { retries: 3, delay: 1, factor: 1, maxDelay: 1, jitter: false }
    muteBell(t)
    for (const outcome of [{ state: 'failed', error }, { state: 'delayed', error, delay: 1 }, { state: 'interrupted', delay: 1 }] as const) {
      const { engine, rig } = await openRig(t, store)
      const { engine: web } = await openRig(t, store, engine.queue.name)
      const stored = task({ retry })
      await rig.start(async ({ id }) => {
        t.equal(await web.cancel(id), true)
        return outcome
      })
      await engine.add([stored])
      await until(async () => (await engine.queue.getJobState(stored.id)) === 'failed')
      t.match(await engine.get(stored.id), { state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } })
      t.equal(rig.runs.length, 1)
    }
  })

  t.test('a task that was cancelled while it ran can be removed by hand', async (t) => {
    const { engine, rig } = await openRig(t, store)
    const stored = task()
    await rig.start(async ({ id }) => {
      await engine.cancel(id)
      return completed
    })
    await engine.add([stored])
    await rig.end(stored.id)
    await (await engine.queue.getJob(stored.id))!.remove()
    t.equal(await engine.get(stored.id), undefined)
  })
}

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  cancelTests(t, { connection: redis.connection })
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  cancelTests(t, { postgres: postgres.connectionString })
})
