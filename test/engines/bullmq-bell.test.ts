import t, { type Test } from 'tap'
import type { RunControl, RunOutcome, StoredTask } from '../../index.js'
import { completed, task } from '../../lib/engines/conformance/rig.js'
import { type Store, openRig, startHeld } from '../support/bullmq-rig.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { until } from '../support/until.js'

t.setTimeout(90_000)

/** No regular look finds a cancellation. */
function stopLooks (t: Test): void {
  const start = globalThis.setInterval
  t.intercept(globalThis, 'setInterval', { value: (call: () => void, ms: number) => start(ms === 1000 ? () => {} : call, ms) })
}

/** A handler that waits for the cancellation of its task, and what it has heard. */
function createListener (): { active: Set<string>, heard: Map<string, unknown>, run: (task: StoredTask, control: RunControl) => Promise<RunOutcome> } {
  const active = new Set<string>()
  const heard = new Map<string, unknown>()
  async function run ({ id }: StoredTask, { signal }: RunControl): Promise<RunOutcome> {
    active.add(id)
    if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
    heard.set(id, signal.reason)
    return { state: 'cancelled', error: { name: 'Error', message: 'cancelled' } }
  }
  return { active, heard, run }
}

function bellTests (t: Test, store: Store): void {
  t.test('a cancellation in another process reaches a running task by the bell, without any look', async (t) => {
    stopLooks(t)
    const { engine: worker, rig } = await openRig(t, store)
    const { engine: web } = await openRig(t, store, worker.queue.name)
    const { active, heard, run } = createListener()
    await rig.start(run, { concurrency: 100 })
    const ids: string[] = []
    // A worker that has just started may not hear its bell yet.
    await until(async () => {
      if (heard.size > 0) return true
      const stored = task()
      ids.push(stored.id)
      await web.add([stored])
      await until(() => active.has(stored.id))
      t.equal(await web.cancel(stored.id, { by: 'ann' }), true)
      return false
    })
    // The look finds the other ones too.
    for (const id of ids) {
      t.match(await rig.end(id), { state: 'cancelled' })
      t.same(heard.get(id), { by: 'ann' })
    }
    const more = Array.from({ length: 20 }, () => task())
    await web.add(more)
    await until(() => more.every(({ id }) => active.has(id)))
    await Promise.all(more.map(async ({ id }) => { t.equal(await web.cancel(id), true) }))
    for (const { id } of more) t.match(await rig.end(id), { state: 'cancelled' }, 'also one that rings during the look for another')
  })
}

t.test('on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const { connection } = redis
  bellTests(t, { connection })

  t.test('a worker whose tasks nobody watches reads none of their events', async (t) => {
    const { engine, rig } = await openRig(t, { connection })
    await rig.start(() => completed)
    await engine.add([task()])
    await until(() => rig.runs.length === 1)
    await redis.ask(async (client) => {
      await until(async () => String(await client.client('LIST')).includes('cmd=xread'))
      await client.config('RESETSTAT')
      await engine.add(Array.from({ length: 200 }, () => task()))
      await until(() => rig.runs.length === 201)
      const reads = /cmdstat_xread:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0
      t.ok(Number(reads) <= 2, `${reads} reads`)
    })
  })

  t.test('the bell is forgotten a minute after it has rung', async (t) => {
    const { engine, rig } = await openRig(t, { connection })
    const { goOn, stored } = await startHeld(rig)
    await engine.cancel(stored.id)
    goOn.open()
    await rig.end(stored.id)
    await redis.ask(async (client) => {
      const bell = `bull:${engine.queue.name}.cancelled:events`
      t.equal(await client.xlen(bell), 1)
      const left = await client.ttl(bell)
      t.ok(left > 0 && left <= 60, `${left} s`)
    })
  })
})

t.test('on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  bellTests(t, { postgres: postgres.connectionString })
})
