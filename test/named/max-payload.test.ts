import t from 'tap'
import { type BackgroundTasksOptions, defineTask } from '../../index.js'
import { jsonBytesAbove } from '../../lib/base/json-size.js'
import { createApp } from '../support/app.js'

const work = defineTask({ name: 'work', payload: {}, handler () {} })

t.test('a payload above maxPayload is refused, registered or not, with task, size and limit', async (t) => {
  for (const [options, limit] of [[{}, 1_048_576], [{ maxPayload: 10 }, 10]] as Array<[BackgroundTasksOptions, number]>) {
    for (const tasks of [[], [work]]) {
      const app = await createApp(t, { ...options, tasks })
      await app.ready()
      const added = app.backgroundTasks.add(work, 'x'.repeat(limit - 2))
      t.throws(() => app.backgroundTasks.add(work, 'x'.repeat(limit - 1)), {
        code: 'FST_BGT_INVALID_PAYLOAD',
        message: `payload of task "work" must be at most ${limit} bytes of JSON, received ${limit + 1} bytes`
      })
      await app.backgroundTasks.idle()
      t.equal(added.state, 'completed')
      t.match(app.backgroundTasks.stats(), { completed: 1 })
    }
  }
})

t.test('a handler that adds a payload too large and does not catch replies 500 and adds nothing', async (t) => {
  const app = await createApp(t, { maxPayload: 10, tasks: [work] })
  app.get('/', async (request) => { request.backgroundTasks.add(work, 'x'.repeat(10)) })
  t.match((await app.inject('/')).json(), { statusCode: 500, code: 'FST_BGT_INVALID_PAYLOAD' })
  t.match(app.backgroundTasks.stats(), { waiting: 0, completed: 0 })
})

t.test('the payload of a schedule that is too large is refused at register', async (t) => {
  const scheduled = defineTask({ name: 'nightly', payload: {}, schedule: { cron: '0 3 * * *', payload: 'x'.repeat(10) }, handler () {} })
  await t.rejects(createApp(t, { maxPayload: 10, tasks: [scheduled] }), {
    code: 'FST_BGT_INVALID_PAYLOAD',
    message: /^option "schedule.payload" of task "nightly" does not fit: payload of task "nightly" must be at most 10 bytes of JSON, received 12 bytes$/
  })
})

t.test('a function may have arguments of any size', async (t) => {
  const app = await createApp(t, { maxPayload: 1 })
  const task = app.backgroundTasks.add((text: string) => text.length, 'x'.repeat(100))
  await app.backgroundTasks.idle()
  t.equal(task.result, 100)
})

const values: unknown[] = [
  0, -1.5e-300, 1e21, true, null, '', 'ab', 'ü', '€', '😀', '\u0001\n"\\', [], [1, 2, [3]], {}, { a: 1 }, { 'ü€😀\n': [{}, { b: null }] },
  'x'.repeat(5000), Array(5000).fill(0), ['\u007f', '\u0085', 'a\tb'], [[], {}, [{}]], { a: [], b: { c: [1.5, -0, 1e-7] } },
  Array.from({ length: 50 }, (_, n) => ({ n, text: 'x'.repeat(n) }))
]

t.test('the size is that of the JSON text in UTF-8, to the byte', async (t) => {
  for (const value of values) {
    const bytes = Buffer.byteLength(JSON.stringify(value))
    t.equal(jsonBytesAbove(value, bytes), undefined)
    t.equal(jsonBytesAbove(value, bytes - 1), bytes)
    t.equal(jsonBytesAbove(value, bytes * 100), undefined)
  }
})
