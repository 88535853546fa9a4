import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { Agent } from 'node:http'
import t, { type Test } from 'tap'
import type { BullmqEngineOptions } from '../../lib/bullmq.mjs'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { type Mark, StoredProcesses, post } from '../support/stored-processes.js'
import { nextTurn } from '../support/turns.js'
import { until } from '../support/until.js'

/** More rounds for figures, fewer for a quick answer. */
const ROUNDS = Number(process.env.CRASH_ROUNDS ?? 3)
t.setTimeout(60_000 + ROUNDS * 60_000)

const BATCH = 3
const CONNECTIONS = 8

interface Load {
  acknowledged: string[]
  /** Those whose reply nobody has read. */
  unknown: string[]
  /** Resolves once another `count` tasks have been acknowledged. */
  goOn: (count: number) => Promise<void>
  stop: () => Promise<void>
}

/** Posts batches of tasks that take `ms` until it is stopped, on each connection once the last batch is `settled`. */
function startLoad (port: number, ms: number, settled: (ids: string[]) => Promise<void> = async () => {}): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
  const acknowledged: string[] = []
  const unknown: string[] = []
  const replies = new EventEmitter()
  const stopping = new AbortController()
  async function work (): Promise<void> {
    while (!stopping.signal.aborted) {
      const batch = randomUUID()
      const ids = Array.from({ length: BATCH }, (_, index) => `${batch}/${index}`)
      const status = await post(port, { ids, ms }, agent).catch(() => undefined)
      if (status === 202) {
        acknowledged.push(...ids)
        replies.emit('acknowledged')
        await settled(ids)
      } else {
        unknown.push(...ids)
        await nextTurn()
      }
    }
  }
  const done = Promise.all(Array.from({ length: CONNECTIONS }, work))
  return {
    acknowledged,
    unknown,
    async goOn (count) {
      const goal = acknowledged.length + count
      while (acknowledged.length < goal) await once(replies, 'acknowledged')
    },
    async stop () {
      stopping.abort()
      await done
      agent.destroy()
    }
  }
}

/** At least one, and at most `max`: an arbitrary moment, in terms of what has happened. */
function randomCount (max: number): number {
  return 1 + Math.floor(Math.random() * max)
}

/** Waits until all tasks have ended, and says how many were started more than once. */
async function allRun (t: Test, processes: StoredProcesses, ids: string[], what: string): Promise<void> {
  const missing = (): string[] => {
    const ended = processes.counts('end')
    return ids.filter((id) => !ended.has(id))
  }
  await until(() => missing().length === 0, 60_000).catch(() => {})
  t.same(missing(), [], 'every acknowledged task has run')
  const twice = [...processes.counts('start').values()].filter((count) => count > 1).length
  t.comment(`${what}: ${ids.length} tasks acknowledged, ${twice} started more than once`)
}

/** Of each batch that has left a trace, the whole of it has, once nothing is left to run. */
async function noHalves (t: Test, processes: StoredProcesses, redis: RedisServer): Promise<void> {
  await until(() => redis.ask(async (client) => {
    const lengths = await Promise.all(['wait', 'active'].map((state) => client.llen(`bull:background-tasks:${state}`)))
    return lengths.every((length) => length === 0)
  }))
  const batches = new Map<string, number>()
  for (const id of processes.counts('start').keys()) {
    const batch = id.split('/')[0]!
    batches.set(batch, (batches.get(batch) ?? 0) + 1)
  }
  t.same([...batches.values()].filter((count) => count !== BATCH), [], 'no batch is half there')
}

t.test('what a web process acknowledged before kill -9 runs, and nothing is half there', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const processes = new StoredProcesses(t, { connection: redis.connection, concurrency: 50 })
  let next = processes.start('web')
  await processes.start('worker')
  const acknowledged: string[] = []
  let unknown = 0
  for (let round = 0; round < ROUNDS; round++) {
    const web = await next
    if (round + 1 < ROUNDS) next = processes.start('web')
    const load = startLoad(web.port, 0)
    await load.goOn(randomCount(600))
    await web.end('SIGKILL')
    await load.stop()
    acknowledged.push(...load.acknowledged)
    unknown += load.unknown.length
  }
  await allRun(t, processes, acknowledged, `${ROUNDS} x kill -9 of a web process`)
  t.comment(`${unknown} tasks without a reply`)
  await noHalves(t, processes, redis)
})

/** Kills workers at work, one after the other. */
async function killWorkers (t: Test, store: BullmqEngineOptions): Promise<void> {
  const processes = new StoredProcesses(t, { ...store, lockDuration: 1000, stalledInterval: 500 })
  const [web, ...workers] = await Promise.all([processes.start('web'), processes.start('worker'), processes.start('worker'), processes.start('worker')])
  const load = startLoad(web.port, 100, async (ids) => {
    // What is missing in the end, `allRun` says.
    await until(() => ids.every((id) => processes.counts('end').has(id)), 60_000).catch(() => {})
  })
  const killed: Array<{ pid: number, at: number }> = []
  for (let round = 0; round < ROUNDS; round++) {
    const victim = workers.shift()!
    const marks = (what?: Mark['what']): number =>
      processes.marks().filter((mark) => mark.pid === victim.child.pid && (what === undefined || mark.what === what)).length
    const goal = marks() + randomCount(40)
    // While it works.
    await until(() => marks() >= goal && marks('start') > marks('end'), 60_000)
    killed.push({ pid: victim.child.pid!, at: Date.now() })
    await victim.end('SIGKILL')
    workers.push(await processes.start('worker'))
  }
  await load.stop()
  await allRun(t, processes, load.acknowledged, `${ROUNDS} x kill -9 of a worker`)

  const marks = processes.marks()
  const recoveries = killed.flatMap(({ pid, at }) => {
    const ended = new Set(marks.filter((mark) => mark.what === 'end' && mark.pid === pid).map(({ id }) => id))
    const lost = marks.filter((mark) => mark.what === 'start' && mark.pid === pid && !ended.has(mark.id)).map(({ id }) => id)
    return lost.map((id) => Math.min(...marks.filter((mark) => mark.what === 'end' && mark.id === id && mark.at > at).map((mark) => mark.at - at)))
  })
  t.ok(recoveries.length > 0, 'workers were killed at work')
  t.comment(`${recoveries.length} tasks were cut off; done elsewhere after ${Math.min(...recoveries)} to ${Math.max(...recoveries)} ms`)
  t.ok(recoveries.every((ms) => ms < 15_000))
}

t.test('what a worker was doing at kill -9 is done by another, on Redis', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  await killWorkers(t, { connection: redis.connection })
})

t.test('what a worker was doing at kill -9 is done by another, on PostgreSQL', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  await killWorkers(t, { postgres: postgres.connectionString })
})

t.test('what was acknowledged before kill -9 of a Redis with AOF runs', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always')
  t.teardown(() => redis.stop())
  const processes = new StoredProcesses(t, { connection: redis.connection, concurrency: 50, lockDuration: 1000, stalledInterval: 500 })
  const [web] = await Promise.all([processes.start('web'), processes.start('worker')])
  const load = startLoad(web.port, 5)
  for (let round = 0; round < ROUNDS; round++) {
    await load.goOn(randomCount(300))
    await redis.kill()
    await redis.start()
  }
  await load.stop()
  await allRun(t, processes, load.acknowledged, `${ROUNDS} x kill -9 of Redis`)
  await noHalves(t, processes, redis)
})
