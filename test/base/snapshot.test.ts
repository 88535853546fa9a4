import { runInNewContext } from 'node:vm'
import t from 'tap'
import { errorSnapshot } from '../../lib/base/snapshot.js'
import { messageOf } from '../../lib/errors.js'
import { createApp } from '../support/app.js'
import { collectGarbage } from '../support/garbage.js'
import { createLog } from '../support/log.js'

const elsewhere = (code: string): unknown => runInNewContext(code)

const thrown: Array<[title: string, thrown: unknown, snapshot: object]> = [
  ['an error of another realm', elsewhere('new TypeError("far away")'), { name: 'TypeError', message: 'far away' }],
  ['an error of another realm with a code', elsewhere('Object.assign(new Error("far"), { code: "EFAR" })'),
    { name: 'Error', code: 'EFAR', message: 'far' }],
  ['an object with a message', { message: 'an object' }, { name: 'Error', message: 'an object' }],
  ['an object that looks like an error', { name: 'GraphQLError', message: 'no field', code: 'BAD', stack: 'secret' },
    { name: 'GraphQLError', code: 'BAD', message: 'no field' }],
  ['an object without a prototype', Object.assign(Object.create(null), { message: 'bare' }), { name: 'Error', message: 'bare' }],
  ['an object whose message is no text', { message: 42 }, { name: 'Error', message: 'an object of type Object' }],
  ['NaN', NaN, { name: 'Error', message: 'NaN' }],
  ['a text', 'text', { name: 'Error', message: 'text' }],
  ['an error whose message is no text', Object.assign(new Error('no'), { message: 42 }), { name: 'Error', message: '42' }],
  ['an error that cannot be read', Object.defineProperty(new Error('no'), 'name', { get () { throw new Error('getter') } }),
    { name: 'Error', message: 'an error that cannot be read' }]
]

for (const [title, value, snapshot] of thrown) {
  t.test(`the snapshot of ${title} says what was thrown`, async (t) => {
    t.strictSame(errorSnapshot(value), snapshot)
  })
}

for (const [title, value] of [['a message', { message: 'x'.repeat(4097) }], ['a text', 'x'.repeat(4097)]] as const) {
  t.test(`${title} of more than 4096 characters is cut`, async (t) => {
    t.equal(errorSnapshot(value).message, `${'x'.repeat(4095)}…`)
  })
}

t.test('name and code are cut as well, and 4096 characters are not', async (t) => {
  const long = 'x'.repeat(5000)
  const { name, code, message } = errorSnapshot(Object.assign(new Error('y'.repeat(4096)), { name: long, code: long }))
  t.same([name.length, code?.length, message], [4096, 4096, 'y'.repeat(4096)])
})

t.test('a message is not cut in the middle of an emoji', async (t) => {
  const { message } = errorSnapshot(new Error('x'.repeat(4094) + '😀'.repeat(2)))
  t.equal(message, `${'x'.repeat(4094)}\uFFFD…`)
})

t.test('an object whose message cannot be read is told by its type', async (t) => {
  t.equal(messageOf({ get message () { throw new Error('getter') } }), 'an object of type Object')
})

t.test('history holds nothing of what it has cut off', async (t) => {
  const app = await createApp(t)
  const fail = async (): Promise<never> => { throw new Error('x'.repeat(1_000_000)) }
  const ids: string[] = []
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 50; index++) {
    ids.push(app.backgroundTasks.add(fail).id)
    await app.backgroundTasks.idle()
  }
  collectGarbage()
  const grown = process.memoryUsage().heapUsed - before
  t.ok(grown < 10_000_000, `${grown} bytes`)
  for (const id of ids) t.equal((await app.backgroundTasks.get(id))?.error?.message.length, 4096)
})

t.test('the line of a failure names NaN and the error of another realm', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  for (const value of [NaN, -Infinity, 10n, elsewhere('new TypeError("far away")'), { message: 'an object' }]) {
    app.backgroundTasks.add(() => { throw value })
  }
  await app.backgroundTasks.idle()
  const errs = log.taskLines().map(({ err }) => err)
  t.same(errs.slice(0, 3), ['NaN', '-Infinity', '10'])
  t.match(errs.slice(3), [{ type: 'TypeError', message: 'far away' }, { message: 'an object' }])
})
