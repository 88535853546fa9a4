import t from 'tap'
import type { FastifyRequest } from 'fastify'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { createLatch } from '../support/latch.js'
import { createLog } from '../support/log.js'
import { nextTurn } from '../support/turns.js'

t.test('the function form calls the function with the arguments, and nothing else', async (t) => {
  const app = await createApp(t)
  const calls: unknown[][] = []
  app.get('/', async (request) => {
    request.backgroundTasks.add((...args: unknown[]) => { calls.push(args) })
    request.backgroundTasks.add((...args: unknown[]) => { calls.push(args) }, 'a', 1, undefined, null)
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.strictSame(calls, [[], ['a', 1, undefined, null]])
})

t.test('the options form appends the task to the arguments', async (t) => {
  const app = await createApp(t)
  const calls: unknown[][] = []
  const added: Task[] = []
  app.get('/', async (request) => {
    added.push(
      request.backgroundTasks.add({}, (task) => { calls.push([task]) }),
      request.backgroundTasks.add({}, (a: string, b: number, task: Task) => { calls.push([a, b, task]) }, 'a', 1))
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.strictSame(calls.map((args) => args.slice(0, -1)), [[], ['a', 1]])
  t.equal(calls[0]?.at(-1), added[0])
  t.equal(calls[1]?.at(-1), added[1])
})

t.test('arguments are passed by reference, as they are when the task runs', async (t) => {
  const app = await createApp(t)
  const list = ['added']
  const user = { name: 'added' }
  let seen: unknown
  app.get('/', async (request) => {
    request.backgroundTasks.add((value: object) => { seen = value }, user)
    user.name = 'changed'
    request.backgroundTasks.add((...args: string[]) => { t.same(args, ['added']) }, ...list)
    list.push('changed')
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(seen, user)
})

t.test('the function is called without a receiver', async (t) => {
  const app = await createApp(t)
  let receiver: unknown = 'none'
  app.backgroundTasks.add(function (this: unknown) { receiver = this } as () => void)
  await app.backgroundTasks.idle()
  t.equal(receiver, undefined)
})

t.test('a task completes with what its function returns, resolves or has a thenable call back with', async (t) => {
  const app = await createApp(t)
  const thenable = { then (resolve: (value: string) => void) { resolve('thenable') } }
  const tasks = [
    app.backgroundTasks.add(() => 'sync'),
    app.backgroundTasks.add(async () => 'async'),
    app.backgroundTasks.add(() => thenable),
    app.backgroundTasks.add(() => Object.assign(() => {}, thenable)),
    app.backgroundTasks.add(() => ({ then: 'not a function' })),
    app.backgroundTasks.add(() => {})
  ]
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ state }) => state), Array(6).fill('completed'))
  t.same(tasks.map(({ result }) => result),
    ['sync', 'async', 'thenable', 'thenable', { then: 'not a function' }, undefined])
})

t.test('a task is named by its options, else by its function, else anonymous', async (t) => {
  const app = await createApp(t)
  function sendEmail (): void {}
  const { backgroundTasks } = app
  const tasks = [
    backgroundTasks.add(sendEmail),
    backgroundTasks.add({}, sendEmail),
    backgroundTasks.add({ name: 'welcome' }, sendEmail),
    backgroundTasks.add({ name: undefined } as object, sendEmail),
    backgroundTasks.add(sendEmail.bind(null)),
    backgroundTasks.add(() => {}),
    backgroundTasks.add({}, () => {}),
    backgroundTasks.add({ name: 'named' }, () => {}),
    backgroundTasks.add(class { static sendEmail (): void {} }.sendEmail)
  ]
  t.same(tasks.map(({ name }) => name), [
    'sendEmail', 'sendEmail', 'welcome', 'sendEmail', 'bound sendEmail', 'anonymous', 'anonymous', 'named', 'sendEmail'
  ])
  await app.backgroundTasks.idle()
})

t.test('a function whose name is not a string is anonymous', async (t) => {
  const app = await createApp(t)
  const names = [Symbol('name'), 5, {}, () => {}].flatMap((name) => {
    const fn = Object.defineProperty(() => {}, 'name', { value: name })
    return [app.backgroundTasks.add(fn).name, app.backgroundTasks.add({}, fn).name]
  })
  t.same(names, Array(8).fill('anonymous'))
  await app.backgroundTasks.idle()
})

t.test('a class fails its own task only, because it cannot be called', async (t) => {
  const app = await createApp(t)
  class Email {}
  const task = app.backgroundTasks.add(Email as never)
  await app.backgroundTasks.idle()
  t.equal(task.state, 'failed')
  t.type(task.error, TypeError)
})

const thenable = { then (): void {} }
const promiseMessage = /pass the function itself.*waitUntil/

const invalid: Array<[what: string, args: unknown[], message: string | RegExp]> = [
  ['nothing', [], /received undefined$/],
  ['undefined', [undefined], /received undefined$/],
  ['null', [null], /received null$/],
  ['a number', [42], /received 42$/],
  ['a bigint', [42n], /received 42/],
  ['a boolean', [true], /received true$/],
  ['a symbol', [Symbol('task')], /received Symbol\(task\)$/],
  ['a string', ['sendEmail'], /received "sendEmail"$/],
  ['a string behind which comes a function', ['name', () => {}], /received "name"$/],
  ['an array', [[() => {}]], /received an array$/],
  ['an array behind which comes a function', [[], () => {}], /received an array$/],
  ['null behind which comes a function', [null, () => {}], /received null$/],
  ['options alone', [{ name: 'x' }], /received options followed by undefined$/],
  ['options and null', [{}, null], /received options followed by null$/],
  ['options and options', [{}, {}], /received options followed by an object of type Object$/],
  ['options and a string', [{}, 'x'], /received options followed by "x"$/],
  ['options without a prototype', [Object.create(null)], /received options followed by undefined$/],
  ['a Date and a function', [new Date(), () => {}], /received an object of type Date$/],
  ['a Map and a function', [new Map(), () => {}], /received an object of type Map$/],
  ['an error and a function', [new Error('no'), () => {}], /received an object of type Error$/],
  ['a class instance and a function', [new (class Mailer {})(), () => {}], /received an object of type Mailer$/],
  ['an object that inherits from another and a function', [Object.create({}), () => {}], /received an object of type Object$/],
  ['a promise', [Promise.resolve()], promiseMessage],
  ['a thenable', [thenable], promiseMessage],
  ['a thenable without a prototype', [Object.assign(Object.create(null), thenable)], promiseMessage],
  ['a promise and a function', [Promise.resolve(), () => {}], promiseMessage],
  ['options and a promise', [{ name: 'x' }, Promise.resolve()], promiseMessage]
]

for (const [what, args, message] of invalid) {
  t.test(`add refuses ${what} at the call site`, async (t) => {
    const app = await createApp(t)
    let inHandler: unknown
    app.get('/', async (request) => {
      const { backgroundTasks } = request
      try {
        backgroundTasks.add(...args as [() => void])
      } catch (error) {
        inHandler = error
      }
      return { size: backgroundTasks.size }
    })
    const response = await app.inject('/')
    const expected = { name: 'FastifyError', code: 'FST_BGT_INVALID_TASK', statusCode: 500, message }
    t.match(inHandler, expected)
    t.same(response.json(), { size: 0 })
    t.throws(() => app.backgroundTasks.add(...args as [() => void]), expected)
  })
}

t.test('options may have no prototype', async (t) => {
  const app = await createApp(t)
  const task = app.backgroundTasks.add(Object.assign(Object.create(null), { name: 'bare' }), () => {})
  t.equal(task.name, 'bare')
  await app.backgroundTasks.idle()
})

t.test('add says what it takes', async (t) => {
  const app = await createApp(t)
  t.throws(() => app.backgroundTasks.add(null as never), {
    message: 'add takes a function, options and a function, or a named task, received null'
  })
})

t.test('a handler that does not catch FST_BGT_INVALID_TASK replies 500', async (t) => {
  const app = await createApp(t)
  app.get('/', async (request) => {
    request.backgroundTasks.add('sendEmail' as never)
  })
  const response = await app.inject('/')
  t.equal(response.statusCode, 500)
  t.equal(response.json().code, 'FST_BGT_INVALID_TASK')
})

t.test('add refuses wrong options at the call site and adds nothing', async (t) => {
  const app = await createApp(t)
  const { backgroundTasks } = app
  const refused: Array<[options: object, message: string]> = [
    [{ nam: 'x' }, 'unknown option "nam", received "x"'],
    [{ requestConcurrency: 2 }, 'unknown option "requestConcurrency", received 2'],
    [{ name: '' }, 'option "name" must be a non-empty string, received ""'],
    [{ timeout: '100' }, 'option "timeout" must be an integer from 1 to 2147483647, received "100"']
  ]
  for (const [options, message] of refused) {
    t.throws(() => backgroundTasks.add(options, () => {}), { code: 'FST_BGT_INVALID_OPTIONS', statusCode: 500, message })
  }
  t.equal(backgroundTasks.stats().waiting, 0)
})

t.test('add returns before the function runs, also once the response is over', async (t) => {
  const app = await createApp(t)
  const order: string[] = []
  let late!: FastifyRequest
  app.get('/', async (request) => {
    late = request
    request.backgroundTasks.add(() => { order.push('task') })
    order.push('added')
    return 'ok'
  })
  app.addHook('onSend', async () => { order.push('onSend') })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(order, ['added', 'onSend', 'task'])

  late.backgroundTasks.add(() => { order.push('late task') })
  order.push('late added')
  app.backgroundTasks.add(() => { order.push('app task') })
  order.push('app added')
  await Promise.resolve()
  order.push('microtask')
  await app.backgroundTasks.idle()
  t.same(order.slice(3), ['late added', 'app added', 'microtask', 'late task', 'app task'])
})

t.test('a task added by a task never runs inside the call of add', async (t) => {
  const app = await createApp(t)
  const order: string[] = []
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => {
      request.backgroundTasks.add(() => { order.push('nested') })
      order.push('sync added')
    })
    request.backgroundTasks.add(async () => {
      await nextTurn()
      request.backgroundTasks.add(() => { order.push('nested in async') })
      order.push('async added')
    })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(order, ['sync added', 'async added', 'nested', 'nested in async'])
})

t.test('size counts the tasks of this request that have not finished', async (t) => {
  const app = await createApp(t)
  const running = createLatch()
  const release = createLatch()
  const sizes: number[] = []
  let list!: FastifyRequest['backgroundTasks']
  app.get('/', async (request) => {
    list = request.backgroundTasks
    sizes.push(list.size)
    list.add(async () => {
      running.resolve()
      await release.promise
    })
    list.add(() => { sizes.push(list.size) })
    list.waitUntil(release.promise)
    app.backgroundTasks.waitUntil(release.promise)
    sizes.push(list.size)
    return 'ok'
  })
  await app.inject('/')
  await running.promise
  sizes.push(list.size)
  release.resolve()
  await app.backgroundTasks.idle()
  sizes.push(list.size)
  t.same(sizes, [0, 3, 3, 1, 0])
})

t.test('each request has one list, the same wherever it is read', async (t) => {
  const app = await createApp(t)
  const seen = new Set<unknown>()
  app.addHook('onRequest', async (request) => { seen.add(request.backgroundTasks) })
  app.get('/', async (request) => {
    seen.add(request.backgroundTasks)
    return 'ok'
  })
  app.addHook('onResponse', async (request) => { seen.add(request.backgroundTasks) })
  await app.inject('/')
  t.equal(seen.size, 1)
  await app.inject('/')
  t.equal(seen.size, 2)
})

t.test('tasks added in every hook run in the order added', async (t) => {
  const app = await createApp(t)
  const order: string[] = []
  const add = (request: FastifyRequest, name: string): void => {
    request.backgroundTasks.add(() => { order.push(name) })
  }
  app.addHook('onRequest', async (request) => { add(request, 'onRequest') })
  app.addHook('preParsing', async (request) => { add(request, 'preParsing') })
  app.addHook('preValidation', async (request) => { add(request, 'preValidation') })
  app.addHook('preHandler', async (request) => { add(request, 'preHandler') })
  app.addHook('onError', async (request) => { add(request, 'onError') })
  app.setErrorHandler((error, request, reply) => {
    add(request, 'errorHandler')
    reply.code(418).send(error)
  })
  app.addHook('preSerialization', async (request) => { add(request, 'preSerialization') })
  app.addHook('onSend', async (request) => { add(request, 'onSend') })
  app.addHook('onResponse', async (request) => { add(request, 'onResponse') })
  await app.register(async (child) => {
    child.get('/', async (request) => {
      add(request, 'handler')
      return {}
    })
    child.get('/throws', async (request) => {
      add(request, 'handler')
      throw new Error('handler')
    })
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(order.splice(0), [
    'onRequest', 'preParsing', 'preValidation', 'preHandler', 'handler', 'preSerialization', 'onSend', 'onResponse'])
  t.equal((await app.inject('/throws')).statusCode, 418)
  await app.backgroundTasks.idle()
  t.same(order.splice(0), [
    'onRequest', 'preParsing', 'preValidation', 'preHandler', 'handler', 'onError', 'errorHandler', 'onSend',
    'onResponse'
  ])
})

t.test('clear drops the tasks that have not started and returns how many', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const running = createLatch()
  const release = createLatch()
  const ran: string[] = []
  let list!: FastifyRequest['backgroundTasks']
  const tasks: Task[] = []
  app.get('/', async (request) => {
    list = request.backgroundTasks
    tasks.push(
      list.add(async () => {
        running.resolve()
        await release.promise
        ran.push('running')
      }),
      list.add(() => { ran.push('dropped') }),
      list.add({}, () => { ran.push('dropped') }),
      list.waitUntil(release.promise))
    return 'ok'
  })
  await app.inject('/')
  await running.promise
  t.equal(list.clear(), 2)
  t.equal(list.clear(), 0)
  t.equal(list.size, 2)
  t.same(tasks.map(({ state }) => state), ['active', 'cancelled', 'cancelled', 'active'])
  t.match(tasks[1]?.error, { code: 'FST_BGT_CANCELLED' })
  list.add(() => { ran.push('added after clear') })
  release.resolve()
  await app.backgroundTasks.idle()
  t.same(ran, ['running', 'added after clear'])
})

t.test('clear before the response leaves nothing to run', async (t) => {
  const app = await createApp(t)
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => { t.fail('a cleared task has run') })
    request.backgroundTasks.add(() => { t.fail('a cleared task has run') })
    return { cleared: request.backgroundTasks.clear(), size: request.backgroundTasks.size }
  })
  t.same((await app.inject('/')).json(), { cleared: 2, size: 0 })
  await app.backgroundTasks.idle()
  t.match(app.backgroundTasks.stats(), { waiting: 0, completed: 0, cancelled: 2 })
})

t.test('clear leaves the tasks of other requests alone', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  app.get('/keep', async (request) => {
    request.backgroundTasks.add(() => { ran.push('kept') })
    await app.inject('/clear')
    return 'ok'
  })
  app.get('/clear', async (request) => {
    request.backgroundTasks.add(() => { ran.push('cleared') })
    request.backgroundTasks.clear()
    return 'ok'
  })
  await app.inject('/keep')
  await app.backgroundTasks.idle()
  t.same(ran, ['kept'])
})

t.test('clear drops all waiting tasks even if an abort listener cancels one of them', async (t) => {
  const app = await createApp(t)
  app.get('/', async (request) => {
    const list = request.backgroundTasks
    const [first, second, third] = [list.add(() => {}), list.add(() => {}), list.add(() => {})]
    first.signal.addEventListener('abort', () => { second.cancel() })
    list.clear()
    return { size: list.size, states: [first.state, second.state, third.state] }
  })
  t.same((await app.inject('/')).json(), { size: 0, states: ['cancelled', 'cancelled', 'cancelled'] })
})
