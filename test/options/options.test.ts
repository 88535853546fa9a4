import Fastify from 'fastify'
import t from 'tap'
import backgroundTasks, { type BackgroundTasksOptions, type RouteTaskOptions, type Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { turnUntil } from '../support/turns.js'

const MAX_DELAY_MS = 2 ** 31 - 1

/** What an option accepts and what it refuses, with the rule that the message gives. */
interface Case {
  key: string
  must: string
  valid: unknown[]
  invalid: unknown[]
}

const integerFrom1 = {
  must: 'an integer >= 1',
  valid: [1, 2, Number.MAX_SAFE_INTEGER],
  invalid: [0, -1, 1.5, NaN, Infinity, '1', true, null, 1n, {}, [1], Number.MAX_SAFE_INTEGER + 1]
}
const retries = {
  must: 'an integer from 0 to 2147483646',
  valid: [0, 1, 100, 2 ** 31 - 2],
  invalid: [-1, 1.5, NaN, Infinity, '3', true, null, 2 ** 31 - 1]
}
const integerFrom0 = { ...integerFrom1, must: 'an integer >= 0', valid: [0, ...integerFrom1.valid], invalid: integerFrom1.invalid.slice(1) }
const milliseconds = {
  must: `an integer from 1 to ${MAX_DELAY_MS}`,
  valid: [1, 30_000, MAX_DELAY_MS],
  invalid: [0, -1, 1.5, NaN, Infinity, '1', true, null, MAX_DELAY_MS + 1]
}
const anyMilliseconds = {
  must: `a number from 0 to ${MAX_DELAY_MS}`,
  valid: [0, 1, 1.5, MAX_DELAY_MS],
  invalid: [-1, NaN, Infinity, '1', true, null, MAX_DELAY_MS + 1]
}
const functions = { must: 'a function', valid: [() => true, async () => true], invalid: ['fn', {}, null, true] }
const booleans = { must: 'true or false', valid: [true, false], invalid: ['true', 0, 1, null, {}] }

const retry: Case = {
  key: 'retry',
  must: `${retries.must} or an object`,
  valid: [0, 1, 100, { retries: 0 }, { retries: 3 }, { retries: 3, delay: undefined, retryIf: undefined }],
  invalid: [...retries.invalid, [3], () => 3]
}
const shared: Case[] = [
  {
    key: 'when',
    must: "one of 'always', 'success', 'error'",
    valid: ['always', 'success', 'error'],
    invalid: ['never', 'Success', '', null, true, 200, ['success']]
  },
  { key: 'timeout', ...milliseconds },
  retry
]
const requestConcurrency: Case = { key: 'requestConcurrency', ...integerFrom1 }
const name: Case = { key: 'name', must: 'a non-empty string', valid: ['x', ' ', 'send e-mail'], invalid: ['', 1, null, true, {}, Symbol('name')] }
const plugin: Case[] = [
  ...shared,
  requestConcurrency,
  { key: 'concurrency', ...integerFrom1 },
  { key: 'maxPending', ...integerFrom1 },
  { key: 'maxPayload', ...integerFrom1 },
  { key: 'around', must: functions.must, valid: [(task: Task, run: () => unknown) => run()], invalid: functions.invalid },
  { key: 'closeTimeout', ...anyMilliseconds },
  { key: 'history', ...integerFrom0 },
  { key: 'onError', ...functions },
  { key: 'worker', ...booleans },
  { key: 'storeTimeout', ...milliseconds },
  { key: 'tasks', must: 'an array', valid: [[]], invalid: [{}, 'tasks', null, () => {}] },
  { key: 'engine', must: 'an engine', valid: [], invalid: [{}, 'memory', null, true, () => {}] }
]
const retryFields: Case[] = [
  { key: 'retries', ...retries },
  { key: 'delay', ...anyMilliseconds },
  { key: 'factor', must: 'a number >= 1', valid: [1, 1.5, 2, 1000], invalid: [0, 0.9, -2, NaN, Infinity, '2', true, null] },
  { key: 'maxDelay', ...anyMilliseconds },
  { key: 'jitter', ...booleans },
  { key: 'retryIf', ...functions }
]

/** The value as a message names it. */
function received (value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return 'an object of type Object'
  return String(value)
}

function options (key: string, value: unknown): object {
  if (!key.startsWith('retry.')) return { [key]: value }
  const field = key.slice('retry.'.length)
  return { retry: field === 'retries' ? { retries: value } : { retries: 1, [field]: value } }
}

/** Resolves when the plugin has been registered with the options, and rejects as that does. */
async function register (options: unknown): Promise<void> {
  const app = Fastify()
  try {
    await app.register(backgroundTasks, options as BackgroundTasksOptions)
  } finally {
    await app.close().catch(() => {})
  }
}

const nested = retryFields.map((field) => ({ ...field, key: `retry.${field.key}` }))

for (const { key, must, valid, invalid } of [...plugin, ...nested]) {
  t.test(`the plugin's option ${key} is ${must}`, async (t) => {
    for (const value of valid) await t.resolves(register(options(key, value)), received(value))
    for (const value of invalid) {
      await t.rejects(register(options(key, value)), {
        name: 'FastifyError',
        code: 'FST_BGT_INVALID_OPTIONS',
        statusCode: 500,
        message: `option "${key}" must be ${must}, received ${received(value)}`
      })
    }
  })
}

for (const { key, must, valid, invalid } of [...shared, requestConcurrency, ...nested]) {
  t.test(`the route's option ${key} is ${must}, and checked when the route is added`, async (t) => {
    const app = await createApp(t)
    const add = (value: unknown, index: number): void => {
      app.get(`/${typeof value}/${index}`, { config: { backgroundTasks: options(key, value) as RouteTaskOptions } }, async () => 'ok')
    }
    for (const [index, value] of valid.entries()) add(value, index)
    for (const [index, value] of invalid.entries()) {
      t.throws(() => { add(value, -index) }, {
        code: 'FST_BGT_INVALID_OPTIONS',
        message: `option "config.backgroundTasks.${key}" must be ${must}, received ${received(value)}`
      })
    }
  })
}

for (const { key, must, valid, invalid } of [...shared, name, ...nested]) {
  t.test(`the option ${key} of add is ${must}`, async (t) => {
    const app = await createApp(t)
    for (const value of valid) app.backgroundTasks.add(options(key, value), () => {})
    for (const value of invalid) {
      t.throws(() => { app.backgroundTasks.add(options(key, value), () => {}) }, {
        code: 'FST_BGT_INVALID_OPTIONS',
        message: `option "${key}" must be ${must}, received ${received(value)}`
      })
    }
    await app.backgroundTasks.idle()
    t.equal(app.backgroundTasks.stats().completed, valid.length)
  })
}

t.test('an unknown option is refused by its name', async (t) => {
  await t.rejects(register({ concurency: 5 }), {
    code: 'FST_BGT_INVALID_OPTIONS', message: 'unknown option "concurency", received 5'
  })
  await t.rejects(register({ name: 'x' }), { message: 'unknown option "name", received "x"' })
  await t.rejects(register({ retry: { retries: 1, max: 5 } }), { message: 'unknown option "retry.max", received 5' })
  await t.rejects(register({ toString: 5 }), { message: 'unknown option "toString", received 5' })
  await t.rejects(register({ concurency: undefined }), { message: 'unknown option "concurency", received undefined' })

  const app = await createApp(t)
  for (const [key, value] of [['concurrency', 1], ['maxPending', 1], ['requestconcurrency', 1], ['name', 'x']] as const) {
    t.throws(() => { app.get('/', { config: { backgroundTasks: { [key]: value } } }, async () => 'ok') }, {
      message: `unknown option "config.backgroundTasks.${key}", received ${received(value)}`
    })
  }
  t.throws(() => { app.get('/', { config: { backgroundTasks: { retry: { retries: 1, max: 5 } as never } } }, async () => 'ok') }, {
    message: 'unknown option "config.backgroundTasks.retry.max", received 5'
  })
  for (const key of ['delay', 'retries', 'onError', 'concurrency', 'signal']) {
    t.throws(() => { app.backgroundTasks.add({ [key]: 1 }, () => {}) }, { message: `unknown option "${key}", received 1` })
  }
})

t.test('a retry object needs its retries', async (t) => {
  await t.rejects(register({ retry: {} }), { message: 'option "retry.retries" must be an integer from 0 to 2147483646, received undefined' })
  await t.rejects(register({ retry: { delay: 5 } }), { message: 'option "retry.retries" must be an integer from 0 to 2147483646, received undefined' })
})

t.test('an option that is undefined counts as absent', async (t) => {
  await t.resolves(register(Object.fromEntries(plugin.map(({ key }) => [key, undefined]))))
  const app = await createApp(t, { timeout: undefined, retry: undefined } as object)
  app.get('/', { config: { backgroundTasks: { requestConcurrency: undefined, when: undefined } as object } }, async (request) => {
    request.backgroundTasks.add({ name: undefined, timeout: undefined, retry: undefined, when: undefined } as object, () => {})
    return 'ok'
  })
  t.equal((await app.inject('/')).statusCode, 200)
  await app.backgroundTasks.idle()
  t.equal(app.backgroundTasks.stats().completed, 1)
})

t.test('options that are not an object are refused', async (t) => {
  const app = await createApp(t)
  for (const config of [null, 'options', 5, true, [], () => {}]) {
    t.throws(() => { app.get('/', { config: { backgroundTasks: config as RouteTaskOptions } }, async () => 'ok') }, {
      code: 'FST_BGT_INVALID_OPTIONS',
      message: `config.backgroundTasks must be an object, received ${received(config)}`
    })
  }
  t.doesNotThrow(() => { app.get('/', { config: { backgroundTasks: undefined } as object }, async () => 'ok') })
})

t.test('the message names the value, shortened', async (t) => {
  const app = await createApp(t)
  const long = 'x'.repeat(1000)
  for (const [timeout, message] of [
    [long, `"${'x'.repeat(100)}…"`],
    [Promise.resolve(), 'a promise'],
    [new Date(), 'an object of type Date'],
    [Object.create(null), 'an object of type Object'],
    [Symbol('soon'), 'Symbol(soon)'],
    [-0.5, '-0.5'],
    [class Soon {}, 'function Soon']
  ] as const) {
    t.throws(() => { app.backgroundTasks.add({ timeout } as object, () => {}) }, {
      message: `option "timeout" must be an integer from 1 to ${MAX_DELAY_MS}, received ${message}`
    })
  }
  t.throws(() => { app.backgroundTasks.add({ timeout: { get then () { throw new Error('then') } } } as object, () => {}) }, {
    code: 'FST_BGT_INVALID_OPTIONS'
  })
})

t.test("Fastify's own register options are let through", async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(backgroundTasks, { prefix: '/tasks', logLevel: 'warn', logSerializers: {}, concurrency: 1 })
  t.ok(app.backgroundTasks)
})

t.test('options given by a function are taken as well', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(backgroundTasks, () => ({ maxPending: 1 }))
  app.backgroundTasks.add(() => {})
  t.throws(() => app.backgroundTasks.add(() => {}), { code: 'FST_BGT_FULL' })
  await app.backgroundTasks.idle()
})

t.test('options are neither changed nor frozen, and changing them later has no effect', async (t) => {
  const inner = { retries: 1, delay: 0 }
  const pluginOptions = { timeout: 1000, retry: inner, requestConcurrency: 2, maxPending: 5 }
  const routeOptions = { requestConcurrency: 3, retry: inner }
  const callOptions = { name: 'work', retry: inner }
  const all = [pluginOptions, routeOptions, callOptions, inner]
  const before = structuredClone(all)
  const app = await createApp(t, pluginOptions)
  let task!: Task
  app.get('/', { config: { backgroundTasks: routeOptions } }, async (request) => {
    task = request.backgroundTasks.add(callOptions, () => { throw new Error('fails') })
    t.same(all, before)
    t.notOk(all.some((options) => Object.isFrozen(options)))
    Object.assign(inner, { retries: 9 })
    Object.assign(callOptions, { name: 'changed', retry: 9 })
    Object.assign(pluginOptions, { maxPending: 1 })
    return 'ok'
  })
  await app.inject('/')
  await turnUntil(() => task.state === 'failed')
  t.equal(task.name, 'work')
  t.equal(task.attempt, 2)
  app.backgroundTasks.add(() => {})
  t.doesNotThrow(() => app.backgroundTasks.add(() => {}))
  await app.backgroundTasks.idle()
})

t.test('frozen options are accepted', async (t) => {
  const app = await createApp(t, Object.freeze({ retry: Object.freeze({ retries: 1 }) }))
  app.get('/', { config: { backgroundTasks: Object.freeze({ when: 'success' as const }) } }, async (request) => {
    request.backgroundTasks.add(Object.freeze({ timeout: 5000 }), () => {})
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(app.backgroundTasks.stats().completed, 1)
})

t.test('the wrong config of a route that was added before the plugin was loaded is refused when it is used', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(backgroundTasks)
  app.get('/', { config: { backgroundTasks: { timeout: 0 } } }, async (request) => {
    request.backgroundTasks.add(() => {})
    return 'ok'
  })
  const response = await app.inject('/')
  t.equal(response.statusCode, 500)
  t.equal(response.json().code, 'FST_BGT_INVALID_OPTIONS')
})
