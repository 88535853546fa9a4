import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { ListedTask } from '../../index.js'
import { type BullmqEngineOptions, bullmqEngine } from '../../lib/bullmq.mjs'
import { tickId } from '../../lib/stored/tick-id.js'
import type { ScheduledProcessSpec } from '../fixtures/scheduled-process.js'
import { createApp } from '../support/app.js'
import { spawnScript } from '../support/child.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { PostgresServer, withoutPostgres } from '../support/postgres.js'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { named } from '../support/stored-app.js'
import { until } from '../support/until.js'

/** How long workers are killed: more for figures. */
const SECONDS = Number(process.env.SCHEDULE_SECONDS ?? 12)
/** How long the task of each tick takes. */
const TASK_MS = Number(process.env.SCHEDULE_TASK_MS ?? 0)
t.setTimeout(180_000 + SECONDS * 1000)

const WORKERS = 3
/** How often a worker has said that its event loop turns, when the task of a tick has certainly been sent. */
const SENT = 5

interface Note {
  what: 'ready' | 'alive' | 'start' | 'end' | 'passed'
  pid: number
  at: number
  id: string
}

/** Workers on one store, each of which is killed and started anew. */
class Workers {
  readonly killed = new Set<number>()
  readonly #spec: ScheduledProcessSpec
  readonly #children: ChildProcess[]

  constructor (t: Test, engine: BullmqEngineOptions) {
    const notes = join(t.testdir(), 'notes')
    writeFileSync(notes, '')
    this.#spec = { engine, notes, ms: TASK_MS }
    this.#children = Array.from({ length: WORKERS }, () => this.#start())
    t.teardown(() => { for (const child of this.#children) child.kill('SIGKILL') })
  }

  #start (): ChildProcess {
    const fixture = fileURLToPath(new URL('../fixtures/scheduled-process.ts', import.meta.url))
    return spawnScript(fixture, [JSON.stringify(this.#spec)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
  }

  notes (): Note[] {
    return readFileSync(this.#spec.notes, 'utf8').split('\n').slice(0, -1).map((line) => {
      const [what, pid, at, id] = line.split(' ') as [Note['what'], string, string, string]
      return { what, pid: Number(pid), at: Number(at), id }
    })
  }

  /** Ends one of them, and starts another in its place. */
  async replace (signal: NodeJS.Signals): Promise<void> {
    const index = Math.floor(Math.random() * WORKERS)
    const child = this.#children[index]!
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
    if (signal === 'SIGKILL') this.killed.add(child.pid!)
    this.#children[index] = this.#start()
  }
}

/** The time of each tick by the id of its task. */
function ticksBetween (from: number, to: number): Map<string, number> {
  const ticks = new Map<string, number>()
  for (let at = Math.ceil(from / 1000) * 1000; at <= to; at += 1000) ticks.set(tickId('work', at), at)
  return ticks
}

/** The ids of the ticks that at least one worker has lived through. */
function livedThrough (notes: Note[], ticks: Map<string, number>): string[] {
  const readyAt = new Map(notes.filter(({ what }) => what === 'ready').map(({ pid, at }) => [pid, at]))
  const alive = [...readyAt].map(([pid, readyAt]) =>
    ({ readyAt, times: notes.filter((note) => note.what === 'alive' && note.pid === pid).map(({ at }) => at) }))
  return [...ticks].filter(([, tick]) =>
    alive.some(({ readyAt, times }) => readyAt < tick && times.filter((at) => at > tick).length >= SENT)).map(([id]) => id)
}

t.test(`three workers are killed and started anew for ${SECONDS} s: each tick has one task, and none is lost while a worker lives`, { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  // The first tick may come before the first note.
  const begin = Date.now()
  const workers = new Workers(t, { connection: redis.connection, stalledInterval: 1000 })
  await until(() => workers.notes().filter(({ what }) => what === 'ready').length === WORKERS, 60_000)
  const end = Date.now() + SECONDS * 1000
  for (let next = Date.now(); next < end; next += 500 + Math.random() * 1000) {
    await until(() => Date.now() >= next)
    await workers.replace(Math.random() < 0.5 ? 'SIGKILL' : 'SIGTERM')
  }

  const notes = workers.notes()
  const ticks = ticksBetween(begin, notes.at(-1)!.at)
  const due = livedThrough(notes, ticks)
  const ids = (what: Note['what']): Set<string> => new Set(workers.notes().filter((note) => note.what === what).map(({ id }) => id))
  const lost = (): string[] => {
    const [ended, passed] = [ids('end'), ids('passed')]
    return due.filter((id) => !ended.has(id) && !passed.has(id)).map((id) => new Date(ticks.get(id)!).toISOString())
  }
  // What a killed worker ran is run by another when its lock is over.
  await until(() => lost().length === 0, 60_000).catch(() => {})
  t.same(lost(), [], 'no tick is lost')

  const starts = workers.notes().filter(({ what }) => what === 'start')
  const twice = starts.filter(({ id, pid }, index) => !workers.killed.has(pid) && starts.slice(index + 1).some((later) => later.id === id))
  t.same(twice, [], 'a task runs again only if its worker was killed')
  t.same(starts.filter(({ id, at }) => at < notes.at(-1)!.at && !ticks.has(id)), [], 'each task is that of a tick')
  const ran = ids('start')
  const passed = [...ids('passed')].filter((id) => !ran.has(id) && ticks.has(id))
  t.ok(due.some((id) => ran.has(id)))
  t.comment(`${ticks.size} ticks, ${due.length} with a worker that lived, ${due.filter((id) => ran.has(id)).length} of them run, ` +
    `${passed.length} passed over, ${starts.length - ran.size} run again, ${workers.killed.size} x kill -9`)
})

/** Three apps on one store run the task of each of some ticks once, and list it without its key. */
async function runTogether (t: Test, store: BullmqEngineOptions): Promise<void> {
  const ran: string[] = []
  const log = createLog()
  const apps: FastifyInstance[] = []
  const listed = createLatch()
  for (let left = WORKERS; left > 0; left--) {
    const engine = bullmqEngine(store)
    await engine.queue.waitUntilReady()
    const work = named(async (payload, { id }) => {
      ran.push(id)
      if (ran.length === 1) await listed.promise
    }, { schedule: { cron: '* * * * * *' } })
    const app = await createApp(t, { engine, tasks: [work], storeTimeout: 10_000 }, { logger: log.logger })
    await app.ready()
    apps.push(app)
  }
  const started = Date.now()
  for (const state of ['active', 'completed'] as const) {
    for (const app of apps) {
      let tasks: ListedTask[] = []
      await until(async () => {
        tasks = (await app.backgroundTasks.list({ state })).tasks
        return tasks.length > 0
      }, 60_000)
      t.notOk(tasks.some((task) => 'key' in task), `the key, which nobody has given, is not shown of ${state} tasks`)
    }
    listed.resolve()
  }
  // A key that a task keeps after its end would hold up all later ticks.
  await until(() => ran.length >= 3, 60_000)
  t.equal(new Set(ran).size, ran.length)
  const ticks = ticksBetween(started - 10_000, Date.now())
  t.ok(ran.every((id) => ticks.has(id)))
}

t.test('three apps on one Redis run each tick once, and list its task without a key', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  await runTogether(t, { connection: redis.connection })
})

t.test('three apps on one PostgreSQL run each tick once, and list its task without a key', { skip: withoutPostgres }, async (t) => {
  const postgres = await PostgresServer.start()
  t.teardown(() => postgres.stop())
  await runTogether(t, { postgres: postgres.connectionString })
})
