import { randomUUID } from 'node:crypto'
import t from 'tap'
import { RedisServer, withoutRedis } from '../support/redis.js'
import { type StoredProcess, StoredProcesses, post } from '../support/stored-processes.js'
import { until } from '../support/until.js'

t.setTimeout(120_000)

t.test('a rolling restart under load fails no request and loses no task', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const processes = new StoredProcesses(t, { connection: redis.connection })
  let webs: StoredProcess[] = await Promise.all([processes.start('web'), processes.start('web')])
  let workers: StoredProcess[] = await Promise.all([processes.start('worker'), processes.start('worker')])

  const ids: string[] = []
  const sent = new Map<StoredProcess, number>()
  const failures: unknown[] = []
  const done = new AbortController()
  /** Posts one task, which has run when it resolves. `hold`: the request is answered once its process has been told to stop. */
  async function send (web: StoredProcess, hold = false): Promise<void> {
    const id = randomUUID()
    sent.set(web, (sent.get(web) ?? 0) + 1)
    try {
      const status = await post(web.port, { ids: [id], ms: 100, hold })
      if (status !== 202) throw new Error(`the reply was ${status}`)
      ids.push(id)
      await until(() => processes.counts('end').has(id))
    } catch (error) {
      failures.push(error)
    }
  }
  async function work (): Promise<void> {
    while (!done.signal.aborted) await send(webs[Math.floor(Math.random() * webs.length)]!)
  }
  const load = Promise.all(Array.from({ length: 8 }, work))

  /** Starts another one, takes the old one out of service as a load balancer does, and tells it to stop in the middle of a request. */
  async function replace (role: 'web' | 'worker', all: StoredProcess[]): Promise<StoredProcess[]> {
    for (const old of [...all]) {
      const fresh = await processes.start(role)
      all = [...all.filter((one) => one !== old), fresh]
      let held: Promise<void> | undefined
      if (role === 'web') {
        webs = all
        held = send(old, true)
        await until(() => old.received === sent.get(old))
      }
      t.equal(await old.end('SIGTERM'), 0, `a ${role} process ends by itself`)
      await held
    }
    return all
  }
  await until(() => ids.length > 0)
  webs = await replace('web', webs)
  workers = await replace('worker', workers)
  done.abort()
  await load

  t.same(failures, [], 'no request fails')
  const ended = processes.counts('end')
  t.same(ids.filter((id) => !ended.has(id)), [], 'every task has run')
  const twice = [...processes.counts('start').values()].filter((count) => count > 1).length
  t.equal(twice, 0, `none of ${ids.length} tasks runs twice`)
  t.equal(workers.length, 2)
})
