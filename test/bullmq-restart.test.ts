import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { RedisServer, withoutRedis } from './support/redis.js'
import { type StoredProcess, StoredProcesses, post } from './support/stored-processes.js'
import { until } from './support/until.js'

t.setTimeout(120_000)

t.test('a rolling restart under load fails no request and loses no task', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())
  const processes = new StoredProcesses(t, { connection: redis.connection })
  let webs: StoredProcess[] = await Promise.all([processes.start('web'), processes.start('web')])
  let workers: StoredProcess[] = await Promise.all([processes.start('worker'), processes.start('worker')])

  const ids: string[] = []
  const failures: unknown[] = []
  const done = new AbortController()
  async function work (): Promise<void> {
    while (!done.signal.aborted) {
      const id = randomUUID()
      const { port } = webs[Math.floor(Math.random() * webs.length)]!
      try {
        const status = await post(port, { ids: [id], ms: 50 })
        if (status === 202) ids.push(id)
        else failures.push(status)
      } catch (error) {
        failures.push(error)
      }
      await sleep(50)
    }
  }
  const load = Promise.all(Array.from({ length: 8 }, work))

  /** Starts another one, takes the old one out of service as a load balancer does, and tells it to stop, requests or not. */
  async function replace (role: 'web' | 'worker', all: StoredProcess[]): Promise<StoredProcess[]> {
    for (const old of [...all]) {
      const fresh = await processes.start(role)
      all = [...all.filter((one) => one !== old), fresh]
      if (role === 'web') webs = all
      t.equal(await old.end('SIGTERM'), 0, `a ${role} process ends by itself`)
    }
    return all
  }
  await until(() => ids.length > 0)
  webs = await replace('web', webs)
  workers = await replace('worker', workers)
  done.abort()
  await load

  t.same(failures, [], 'no request fails')
  await until(() => ids.every((id) => processes.counts('end').has(id)))
  const twice = [...processes.counts('start').values()].filter((count) => count > 1).length
  t.equal(twice, 0, `none of ${ids.length} tasks runs twice`)
  t.equal(workers.length, 2)
})
