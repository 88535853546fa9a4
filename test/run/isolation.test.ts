import t from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { createLog } from '../support/log.js'
import { nextTurn } from '../support/turns.js'

const hostile: unknown = new Proxy({}, {
  get () { throw new Error('get trap') },
  has () { throw new Error('has trap') },
  getPrototypeOf () { throw new Error('getPrototypeOf trap') },
  ownKeys () { throw new Error('ownKeys trap') }
})
const throwingThen = { get then () { throw new Error('then getter') } }

const failures: Array<[what: string, fn: () => unknown]> = [
  ['throws', () => { throw new Error('sync') }],
  ['rejects', async () => { throw new Error('async') }],
  ['throws a string', () => { throw 'a string' }], // eslint-disable-line no-throw-literal
  ['throws undefined', () => { throw undefined }], // eslint-disable-line no-throw-literal
  ['throws null', () => { throw null }], // eslint-disable-line no-throw-literal
  ['throws a symbol', () => { throw Symbol('thrown') }],
  ['throws a bigint', () => { throw 1n }], // eslint-disable-line no-throw-literal
  ['throws a function', () => { throw () => {} }], // eslint-disable-line no-throw-literal
  ['throws an object without a prototype', () => { throw Object.create(null) }],
  ['throws an object whose then throws', () => { throw throwingThen }],
  ['throws a proxy whose traps throw', () => { throw hostile }],
  ['throws an object whose constructor throws', () => { throw { get constructor () { throw new Error('constructor') } } }], // eslint-disable-line no-throw-literal
  ['throws an error whose message throws', () => {
    throw Object.defineProperty(new Error('x'), 'message', { get () { throw new Error('message getter') } })
  }],
  ['throws an error with a field that throws', () => {
    throw Object.defineProperty(new Error('x'), 'field', { enumerable: true, get () { throw new Error('field getter') } })
  }],
  ['throws an error that refers to itself', () => {
    const error = new Error('circular')
    throw Object.assign(error, { error, cause: error })
  }],
  ['throws a promise that rejects', () => {
    const promise = Promise.reject(new Error('thrown promise'))
    promise.catch(() => {})
    throw promise
  }],
  ['rejects with undefined', () => Promise.reject()], // eslint-disable-line prefer-promise-reject-errors
  ['rejects with null', () => Promise.reject(null)], // eslint-disable-line prefer-promise-reject-errors
  ['rejects with a symbol', () => Promise.reject(Symbol('rejected'))],
  ['rejects with an object without a prototype', () => Promise.reject(Object.create(null))],
  ['rejects with a proxy whose traps throw', () => Promise.reject(hostile)],
  ['returns an object whose then throws', () => throwingThen],
  ['returns a thenable that throws', () => ({ then () { throw new Error('thenable') } })],
  ['returns a thenable that rejects', () => ({ then (_: unknown, reject: (e: Error) => void) { reject(new Error('thenable')) } })],
  ['returns a thenable that rejects twice, then throws', () => ({
    then (_: unknown, reject: (e: Error) => void) {
      reject(new Error('first'))
      reject(new Error('second'))
      throw new Error('third')
    }
  })],
  ['returns a promise whose own then throws', () =>
    Object.assign(Promise.resolve(), { then () { throw new Error('own then') } })],
  ['returns a promise whose constructor throws', () =>
    Object.defineProperty(Promise.resolve(), 'constructor', { get () { throw new Error('constructor') } })]
]

for (const withLog of [true, false]) {
  for (const [what, fn] of failures) {
    t.test(`a task that ${what} fails alone, ${withLog ? 'with' : 'without'} a logger`, async (t) => {
      const log = createLog()
      const errors: unknown[] = []
      const onError = (error: unknown): void => { errors.push(error) }
      const app = await createApp(t, { onError }, { logger: withLog && log.logger })
      app.setErrorHandler(() => { t.fail('the error has reached the error handler of the app') })
      const tasks: Task[] = []
      app.get('/', async (request) => {
        tasks.push(
          request.backgroundTasks.add({ name: 'bad' }, fn),
          request.backgroundTasks.add({ name: 'bad, with an id' }, fn),
          request.backgroundTasks.add(() => 'next'))
        t.ok(tasks[1]?.id)
        return 'ok'
      })
      const response = await app.inject('/')
      t.equal(response.body, 'ok')
      await app.backgroundTasks.idle({ timeout: 2000 })
      await nextTurn()
      t.same(tasks.map(({ state }) => state), ['failed', 'failed', 'completed'])
      t.match(app.backgroundTasks.stats(), { failed: 2, completed: 1, active: 0, waiting: 0 })
      t.equal(errors.length, 2)
      if (withLog) t.same(log.taskLines().filter(({ level }) => level === 'error').map(({ task }) => task), ['bad', 'bad, with an id'])
      for (const task of tasks.slice(0, 2)) {
        const { error } = JSON.parse(JSON.stringify(task))
        t.type(error.name, 'string')
        t.type(error.message, 'string')
      }
    })
  }
}

t.test('a thenable that calls back again later counts once', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(() => ({
    then (resolve: (value: string) => void, reject: (error: Error) => void) {
      resolve('first')
      resolve('second')
      setImmediate(() => { reject(new Error('late')) })
    }
  }))
  await app.backgroundTasks.idle()
  await nextTurn()
  t.equal(task.result, 'first')
  t.match(app.backgroundTasks.stats(), { completed: 1, failed: 0 })
})

t.test('a failing task changes no response and does not stop the next one', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => { throw new Error('before the reply is sent') })
    request.backgroundTasks.add(async () => { throw new Error('async') })
    request.backgroundTasks.add(() => { ran.push('next') })
    return { ok: true }
  })
  for (const url of ['/', '/?again']) {
    const response = await app.inject(url)
    t.equal(response.statusCode, 200)
    t.same(response.json(), { ok: true })
  }
  await app.backgroundTasks.idle()
  t.same(ran, ['next', 'next'])
})
