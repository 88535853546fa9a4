import { createRequire } from 'node:module'
import t from 'tap'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { explainMissing } from '../../lib/engines/bullmq/missing.js'

t.test('an engine needs exactly one store', async (t) => {
  for (const [options, received] of [[{}, 'neither'], [{ connection: {}, postgres: 'postgres://127.0.0.1' }, 'both']] as const) {
    t.throws(() => bullmqEngine(options), {
      code: 'FST_BGT_INVALID_OPTIONS',
      message: `bullmqEngine must be given either "connection" or "postgres", received ${received}`
    })
  }
})

t.test('an option that is unknown or wrong is named', async (t) => {
  const connection = {}
  for (const [options, message] of [
    [{ connection, lockDuration: 999 }, /"lockDuration" must be an integer from 1000 to .*, received 999/],
    [{ connection, queue: 'a:b' }, /"queue" must be a non-empty string without ':', received "a:b"/],
    [{ connection: { connect () {} } }, /"connection" must be ioredis options, not a client/],
    [{ connection, limit: 1 }, /unknown option "limit"/]
  ] as const) {
    t.throws(() => bullmqEngine(options as object), { code: 'FST_BGT_INVALID_OPTIONS', message })
  }
})

t.test('where BullMQ is not installed the error says what to install; any other stays as it is', async (t) => {
  const load = createRequire(t.testdir({ 'app.js': '' }) + '/app.js')
  function failureOf (run: () => unknown): Error {
    try {
      run()
    } catch (error) {
      return error as Error
    }
    throw new Error('nothing failed')
  }
  const other = failureOf(() => load('no-such-package'))
  t.equal(failureOf(() => explainMissing(other)), other)

  const missing = Object.assign(new Error("Cannot find package 'bullmq' imported from app.js"), { code: 'ERR_MODULE_NOT_FOUND' })
  const explained = failureOf(() => explainMissing(missing))
  t.match(explained.message, /npm install bullmq ioredis .* npm install bullmq pg/)
  t.equal(explained.cause, missing)
})
