import '../support/ioredis-5.js'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { spawnScript } from '../support/child.js'
import { bullmqConformance } from '../support/conformance.js'
import { RedisServer, withoutRedis } from '../support/redis.js'

t.setTimeout(90_000)

const fixture = fileURLToPath(new URL('../fixtures/ioredis-exit.ts', import.meta.url))
const { Redis: Redis5 } = createRequire(import.meta.url)('ioredis-5')

t.test('with ioredis 5', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start()
  t.teardown(() => redis.stop())

  t.test('the engine runs on it', async (t) => {
    const engine = bullmqEngine({ connection: redis.connection })
    t.teardown(() => engine.close())
    t.type(await engine.queue.getBackend().client, Redis5)
  })

  t.test('a process ends at once when its app has closed', async (t) => {
    const child = spawnScript(fixture, [String(redis.port)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    t.teardown(() => { child.kill('SIGKILL') })
    const exited = once(child, 'exit')
    t.same(await Promise.race([once(child, 'message'), exited]), ['closed', undefined])
    const closedAt = performance.now()
    t.same(await exited, [0, null])
    // The timeouts of its sockets are five and twenty seconds.
    const ms = performance.now() - closedAt
    t.ok(ms < 4000, `after ${Math.round(ms)} ms`)
  })

  bullmqConformance(t, redis.port, (port) => ({ connection: { ...redis.connection, port } }))
})
