import { Type } from '@sinclair/typebox'
import t from 'tap'
import { Type as TypeBox1 } from 'typebox'
import { Type as OwnType, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'

const handler = (): void => {}
const noFunction = 5 as unknown as typeof handler

/** The definition is complete but for what is given. */
const define = (part: object): unknown => defineTask({ name: 'work', payload: {}, handler, ...part })

const wrongOptions: Array<[part: object, message: string]> = [
  [{ name: undefined }, 'option "name" must be a string of 1 to 200 characters without control characters, received undefined'],
  [{ name: '' }, 'option "name" must be a string of 1 to 200 characters without control characters, received ""'],
  [{ name: 7 }, 'option "name" must be a string of 1 to 200 characters without control characters, received 7'],
  [{ name: 'two\nlines' }, 'option "name" must be a string of 1 to 200 characters without control characters, received "two\\nlines"'],
  [{ name: 'bell\u0007' }, 'option "name" must be a string of 1 to 200 characters without control characters, received "bell\\u0007"'],
  [{ name: 'half \ud83d' }, 'option "name" must be a string of 1 to 200 characters without control characters, received "half \\ud83d"'],
  [{ name: 'line\n' }, 'option "name" must be a string of 1 to 200 characters without control characters, received "line\\n"'],
  [{ name: 'x'.repeat(201) }, `option "name" must be a string of 1 to 200 characters without control characters, received "${'x'.repeat(100)}…"`],
  [{ payload: undefined }, 'option "payload" must be a JSON schema object, received undefined'],
  [{ payload: true }, 'option "payload" must be a JSON schema object, received true'],
  [{ payload: 'object' }, 'option "payload" must be a JSON schema object, received "object"'],
  [{ result: null }, 'option "result" must be a JSON schema object, received null'],
  [{ result: [] }, 'option "result" must be a JSON schema object, received an array'],
  [{ handler: undefined }, 'option "handler" must be a function, received undefined'],
  [{ handler: noFunction }, 'option "handler" must be a function, received 5'],
  [{ when: 'never' }, "option \"when\" must be one of 'always', 'success', 'error', received \"never\""],
  [{ timeout: 0 }, 'option "timeout" must be an integer from 1 to 2147483647, received 0'],
  [{ timeout: '5' }, 'option "timeout" must be an integer from 1 to 2147483647, received "5"'],
  [{ retry: -1 }, 'option "retry" must be an integer from 0 to 2147483646 or an object, received -1'],
  [{ retry: {} }, 'option "retry.retries" must be an integer from 0 to 2147483646, received undefined'],
  [{ retry: { retries: 1, dealy: 5 } }, 'unknown option "retry.dealy", received 5'],
  [{ delay: 5 }, 'unknown option "delay", received 5'],
  [{ key: 'k' }, 'unknown option "key", received "k"'],
  [{ payloads: {} }, 'unknown option "payloads", received an object of type Object']
]

for (const [part, message] of wrongOptions) {
  t.test(`defineTask refuses ${JSON.stringify(part).slice(0, 60)}: ${message.slice(0, 90)}`, async (t) => {
    t.throws(() => define(part), { code: 'FST_BGT_INVALID_OPTIONS', message })
  })
}

t.test('defineTask without a definition is refused', async (t) => {
  t.throws(() => Reflect.apply(defineTask, undefined, []), { code: 'FST_BGT_INVALID_OPTIONS', message: 'options must be an object, received undefined' })
})

t.test('a name may have any other character, and 200 of them', async (t) => {
  for (const name of ['a', 'resize-image', 'mail:welcome/2', 'grüße 👋', '__proto__', 'constructor', 'x'.repeat(200)]) {
    t.equal(defineTask({ name, payload: {}, handler }).name, name)
  }
})

t.test('what defineTask returns cannot be changed', async (t) => {
  const task = defineTask({ name: 'work', payload: {}, handler })
  t.throws(() => { (task as { name: string }).name = 'other' }, TypeError)
})

const wrongSchemas: Array<[title: string, schema: object, problem: RegExp]> = [
  ['an unknown type', { type: 'numbre' }, /type/],
  ['an unknown format', { type: 'string', format: 'e-mail' }, /unknown format "e-mail"/],
  ['a reference to nowhere', { $ref: '#/definitions/image' }, /can't resolve reference/],
  ['an unknown keyword', { type: 'integer', minimun: 1 }, /minimun/]
]

for (const [title, payload, problem] of wrongSchemas) {
  t.test(`a payload schema with ${title} is refused by defineTask`, async (t) => {
    t.throws(() => define({ payload }), { code: 'FST_BGT_INVALID_OPTIONS', message: problem, cause: Error })
    t.throws(() => define({ payload }), { message: /^option "payload" is not a valid JSON schema: / })
  })
}

for (const [title, result] of [['an unknown type', { type: 'numbre' }], ['a reference to nowhere', { $ref: '#/definitions/image' }]] as const) {
  t.test(`a result schema with ${title} is refused by defineTask`, async (t) => {
    t.throws(() => define({ result }), {
      code: 'FST_BGT_INVALID_OPTIONS', message: /^option "result" is not a valid JSON schema: /, cause: Error
    })
  })
}

t.test('a payload schema that validates asynchronously is refused by defineTask', async (t) => {
  t.throws(() => define({ payload: { $async: true, type: 'object' } }), { code: 'FST_BGT_INVALID_OPTIONS' })
})

t.test('two tasks may have schemas with the same $id', async (t) => {
  const app = await createApp(t)
  const [narrow, wide] = [1, 10].map((maximum) =>
    defineTask({ name: 'work', payload: { $id: 'size', type: 'integer', maximum }, handler }))
  t.throws(() => app.backgroundTasks.add(narrow!, 5), { message: 'payload must be <= 1' })
  app.backgroundTasks.add(wide!, 5)
})

t.test('a payload schema may refer to its parts and to itself', async (t) => {
  const app = await createApp(t)
  const tree = Type.Recursive((This) => Type.Object({ size: Type.Integer(), children: Type.Array(This) }))
  const schemas = [
    tree,
    { type: 'object', properties: { size: { type: 'integer' }, children: { type: 'array', items: { $ref: '#' } } } },
    { $ref: '#/$defs/tree', $defs: { tree: { type: 'object', properties: { size: { type: 'integer' }, children: { type: 'array', items: { $ref: '#/$defs/tree' } } } } } }
  ]
  for (const payload of schemas) {
    const task = defineTask({ name: 'tree', payload, handler })
    app.backgroundTasks.add(task, { size: 1, children: [{ size: 2, children: [] }] })
    t.throws(() => app.backgroundTasks.add(task, { size: 1, children: [{ size: '2', children: [] }] }), {
      message: 'payload/children/0/size must be integer'
    })
  }
})

const image = defineTask({
  name: 'resize-image',
  payload: Type.Object({
    key: Type.String(),
    width: Type.Integer({ minimum: 1 }),
    format: Type.Optional(Type.String({ default: 'png' })),
    owner: Type.Optional(Type.String({ format: 'email' })),
    taken: Type.Optional(Type.String({ format: 'date-time' })),
    tags: Type.Optional(Type.Array(Type.Object({ name: Type.String(), weight: Type.Optional(Type.Number({ default: 1 })) })))
  }),
  handler (payload) { seen.push(payload) }
})
const strict = defineTask({
  name: 'strict',
  payload: Type.Object({ key: Type.String() }, { additionalProperties: false }),
  handler
})
let seen: unknown[] = []
t.beforeEach(() => { seen = [] })

const wrongPayloads: Array<[payload: unknown, message: string]> = [
  [{ key: 'a', width: 0 }, 'payload/width must be >= 1'],
  [{ key: 'a', width: 1.5 }, 'payload/width must be integer'],
  [{ key: 'a', width: '5' }, 'payload/width must be integer'],
  [{ key: 'a', width: true }, 'payload/width must be integer'],
  [{ key: 5, width: 5 }, 'payload/key must be string'],
  [{ key: null, width: 5 }, 'payload/key must be string'],
  [{ key: 'a' }, "payload must have required property 'width'"],
  [{ key: 'a', width: undefined }, "payload must have required property 'width'"],
  [{ key: 'a', width: NaN }, 'payload/width must be integer'],
  [{ key: 'a', width: 5, owner: 'ann' }, 'payload/owner must match format "email"'],
  [{ key: 'a', width: 5, taken: 'today' }, 'payload/taken must match format "date-time"'],
  [{ key: 'a', width: 5, tags: 'x' }, 'payload/tags must be array'],
  [{ key: 'a', width: 5, tags: [{ name: 'x' }, { name: 7 }] }, 'payload/tags/1/name must be string'],
  [[], 'payload must be object'],
  [null, 'payload must be object'],
  ['key', 'payload must be object'],
  [5, 'payload must be object']
]

for (const [payload, message] of wrongPayloads) {
  t.test(`the payload ${JSON.stringify(payload)} is refused by add: ${message}`, async (t) => {
    const app = await createApp(t)
    t.throws(() => app.backgroundTasks.add(image, payload as never), { code: 'FST_BGT_INVALID_PAYLOAD', statusCode: 500, message })
    t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0 })
  })
}

t.test('what the schema forbids to be added is refused, not removed', async (t) => {
  const app = await createApp(t)
  t.throws(() => app.backgroundTasks.add(strict, { key: 'a', width: 5 } as never), {
    code: 'FST_BGT_INVALID_PAYLOAD', message: 'payload must NOT have additional properties'
  })
})

function circular (): object {
  const payload: { key: string, self?: object } = { key: 'a' }
  payload.self = payload
  return payload
}

/** Deeper than JSON.stringify can go. */
function deep (): object {
  let payload = {}
  for (let depth = 0; depth < 100_000; depth++) payload = { payload }
  return payload
}

const noJson: Array<[title: string, payload: unknown, message: RegExp]> = [
  ['circular', circular(), /^payload must be JSON: Converting circular structure to JSON/],
  ['a BigInt', { key: 1n }, /^payload must be JSON: Do not know how to serialize a BigInt$/],
  ['undefined', undefined, /^payload must be JSON, received undefined$/],
  ['a function', handler, /^payload must be JSON, received function handler$/],
  ['a symbol', Symbol('key'), /^payload must be JSON, received Symbol\(key\)$/],
  ['too deep', deep(), /^payload must be (JSON: Maximum call stack size exceeded|at most 1000 levels deep, received more)$/],
  ['an object whose getter throws', { get key () { throw new Error('no key') } }, /^payload must be JSON: no key$/],
  ['text with U+0000', 'a\0b', /^payload must hold neither U\+0000 nor half a surrogate pair, received "a\\u0000b"$/],
  ['text with half a surrogate pair', { text: '😀'.slice(0, 1) }, /^payload\/text must hold neither U\+0000 nor half a surrogate pair, received "\\ud83d"$/],
  ['an object whose toJSON throws no error', { toJSON () { throw null } }, /^payload must be JSON/] // eslint-disable-line no-throw-literal
]

for (const [title, payload, message] of noJson) {
  t.test(`a payload that is ${title} is refused by add`, async (t) => {
    const app = await createApp(t)
    const any = defineTask({ name: 'any', payload: {}, handler })
    t.throws(() => app.backgroundTasks.add(any, payload), { code: 'FST_BGT_INVALID_PAYLOAD', message })
    app.backgroundTasks.register(any)
    t.throws(() => app.backgroundTasks.add(any, payload), { code: 'FST_BGT_INVALID_PAYLOAD', message })
    t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0 })
  })
}

t.test('a payload too deep for its recursive schema is refused by add', async (t) => {
  const app = await createApp(t)
  const nested = { $ref: '#/$defs/list', $defs: { list: { type: 'array', items: { $ref: '#/$defs/list' } } } }
  const tree = defineTask({ name: 'tree', payload: nested, handler })
  // From a depth that all can manage to one that nobody can: whatever gives up on the way must say so.
  for (let depth = 500; depth < 100_000; depth *= 1.2) {
    let payload: unknown[] = []
    for (let level = 0; level < depth; level++) payload = [payload]
    try {
      app.backgroundTasks.add(tree, payload)
    } catch (error) {
      t.match(error, { code: 'FST_BGT_INVALID_PAYLOAD' })
    }
  }
  await app.backgroundTasks.idle()
})

t.test('a handler that adds a wrong payload and does not catch replies 500 and adds nothing', async (t) => {
  const app = await createApp(t)
  app.get('/', async (request) => { request.backgroundTasks.add(image, { key: 'a', width: 0 }) })
  const response = await app.inject('/')
  t.equal(response.statusCode, 500)
  t.match(response.json(), { code: 'FST_BGT_INVALID_PAYLOAD', message: 'payload/width must be >= 1' })
  t.match(app.backgroundTasks.stats(), { waiting: 0, completed: 0, skipped: 0 })
})

for (const isRegistered of [false, true]) {
  const kind = isRegistered ? 'a registered task' : 'an unregistered task'

  t.test(`the payload of ${kind} has its defaults filled in, and nothing coerced or removed`, async (t) => {
    const app = await createApp(t, { tasks: isRegistered ? [image] : [] })
    await app.ready()
    app.backgroundTasks.add(image, { key: 'a', width: 5, unknown: { kept: [null] }, tags: [{ name: 'x' }] } as never)
    await app.backgroundTasks.idle()
    t.strictSame(seen, [
      { key: 'a', width: 5, unknown: { kept: [null] }, tags: [{ name: 'x', weight: 1 }], format: 'png' }
    ])
  })

  t.test(`the payload of ${kind} is copied by add, as JSON`, async (t) => {
    const app = await createApp(t)
    const any = defineTask({ name: 'any', payload: {}, handler (payload) { seen.push(payload) } })
    if (isRegistered) app.backgroundTasks.register(any)
    const payload = { list: [1], date: new Date(0), map: new Map([[1, 2]]), dropped: undefined, nothing: NaN }
    app.get('/', async (request) => {
      request.backgroundTasks.add(any, payload)
      payload.list.push(2)
      return 'ok'
    })
    await app.inject('/')
    await app.backgroundTasks.idle()
    t.strictSame(seen, [{ list: [1], date: '1970-01-01T00:00:00.000Z', map: {}, nothing: null }])
    t.same(Object.keys(payload), ['list', 'date', 'map', 'dropped', 'nothing'])
  })

  t.test(`each attempt of ${kind} gets the payload as it was added`, async (t) => {
    const app = await createApp(t)
    const counter = defineTask({
      name: 'counter',
      payload: Type.Object({ list: Type.Array(Type.Integer()) }),
      retry: { retries: 2, delay: 0 },
      handler ({ list }, { attempt }) {
        seen.push([...list])
        list.push(attempt)
        throw new Error('again')
      }
    })
    if (isRegistered) app.backgroundTasks.register(counter)
    await app.ready()
    app.backgroundTasks.add(counter, { list: [0] })
    await app.backgroundTasks.idle()
    t.same(seen, [[0], [0], [0]])
  })

  t.test(`the handler of ${kind} has the Fastify instance as this, and its task`, async (t) => {
    const app = await createApp(t)
    app.decorate('clock', 'the clock')
    const mail = defineTask({
      name: 'mail',
      payload: Type.Object({}),
      handler (payload, task) {
        const { clock } = this as typeof app & { clock: string }
        seen.push([payload, clock, task.server === this, task.name, task.id])
      }
    })
    if (isRegistered) app.backgroundTasks.register(mail)
    await app.ready()
    const task = app.backgroundTasks.add(mail, {})
    await app.backgroundTasks.idle()
    t.same(seen, [[{}, 'the clock', true, 'mail', task.id]])
    t.equal(task.state, 'completed')
  })

  t.test(`the result of ${kind} leaves only as its schema declares`, async (t) => {
    const app = await createApp(t)
    const user = defineTask({
      name: 'user',
      payload: {},
      result: Type.Object({ id: Type.Integer(), friends: Type.Array(Type.Object({ name: Type.String() })) }),
      async handler () {
        const row = { id: 7, password: 'secret', friends: [{ name: 'ann', password: 'secret' }] }
        return row
      }
    })
    if (isRegistered) app.backgroundTasks.register(user)
    await app.ready()
    const task = app.backgroundTasks.add(user, {})
    const { id } = task
    await app.backgroundTasks.idle()
    const result = { id: 7, friends: [{ name: 'ann' }] }
    t.strictSame(task.result, result)
    t.strictSame(task.toJSON().result, result)
    t.strictSame((await app.backgroundTasks.get(id))?.result, result)
  })

  t.test(`without a result schema the snapshot of ${kind} has no result`, async (t) => {
    const app = await createApp(t)
    const user = defineTask({ name: 'user', payload: {}, handler: () => 'secret' })
    if (isRegistered) app.backgroundTasks.register(user)
    await app.ready()
    const task = app.backgroundTasks.add(user, {})
    const { id } = task
    await app.backgroundTasks.idle()
    t.equal(task.state, 'completed')
    t.notOk('result' in task.toJSON())
    t.notOk('result' in (await app.backgroundTasks.get(id))!)
  })

  t.test(`${kind} whose result does not fit its schema has failed`, async (t) => {
    const app = await createApp(t)
    const user = defineTask({
      name: 'user', payload: {}, result: Type.Object({ id: Type.Integer() }), handler: () => ({}) as { id: number }
    })
    if (isRegistered) app.backgroundTasks.register(user)
    await app.ready()
    const task = app.backgroundTasks.add(user, {})
    await app.backgroundTasks.idle()
    t.equal(task.state, 'failed')
    t.match(task.error, { message: '"id" is required!' })
    t.equal(task.result, undefined)
  })

  t.test(`${kind} may return nothing where its result schema allows everything`, async (t) => {
    const app = await createApp(t)
    const user = defineTask({ name: 'user', payload: {}, result: {}, handler () {} })
    if (isRegistered) app.backgroundTasks.register(user)
    await app.ready()
    const task = app.backgroundTasks.add(user, {})
    await app.backgroundTasks.idle()
    t.equal(task.state, 'completed')
  })

  t.test(`a handler of ${kind} that throws fails its task`, async (t) => {
    const failures: unknown[] = []
    const app = await createApp(t, { onError: (error, task) => { failures.push([error, task.name]) } })
    const error = new Error('no luck')
    const broken = defineTask({ name: 'broken', payload: {}, result: {}, handler () { throw error } })
    if (isRegistered) app.backgroundTasks.register(broken)
    await app.ready()
    const task = app.backgroundTasks.add(broken, {})
    await app.backgroundTasks.idle()
    t.equal(task.error, error)
    t.same(failures, [[error, 'broken']])
  })

  t.test(`wrong options of a call are refused for ${kind}`, async (t) => {
    const app = await createApp(t)
    const work = defineTask({ name: 'work', payload: {}, handler })
    if (isRegistered) app.backgroundTasks.register(work)
    const wrong: Array<[options: unknown, message: string]> = [
      [{ name: 'other' }, 'unknown option "name", received "other"'],
      [{ dealy: 5 }, 'unknown option "dealy", received 5'],
      [{ delay: -1 }, 'option "delay" must be an integer from 0 to 2147483647, received -1'],
      [{ delay: 2 ** 31 }, 'option "delay" must be an integer from 0 to 2147483647, received 2147483648'],
      [{ key: '' }, 'option "key" must be a string of 1 to 200 characters, received ""'],
      [{ key: 5 }, 'option "key" must be a string of 1 to 200 characters, received 5'],
      [{ key: 'x'.repeat(201) }, `option "key" must be a string of 1 to 200 characters, received "${'x'.repeat(100)}…"`],
      [{ key: 'a\0b' }, 'option "key" must hold neither U+0000 nor half a surrogate pair, received "a\\u0000b"'],
      [{ key: '\ude00' }, 'option "key" must hold neither U+0000 nor half a surrogate pair, received "\\ude00"'],
      [{ priority: -1 }, 'option "priority" must be an integer from 0 to 2097151, received -1'],
      [{ priority: 0.5 }, 'option "priority" must be an integer from 0 to 2097151, received 0.5'],
      [{ priority: 2 ** 21 }, 'option "priority" must be an integer from 0 to 2097151, received 2097152'],
      [{ retry: 2 ** 31 - 1 }, 'option "retry" must be an integer from 0 to 2147483646 or an object, received 2147483647'],
      [{ when: 'later' }, "option \"when\" must be one of 'always', 'success', 'error', received \"later\""],
      [null, 'options must be an object, received null'],
      ['k', 'options must be an object, received "k"']
    ]
    for (const [options, message] of wrong) {
      t.throws(() => app.backgroundTasks.add(work, {}, options as object), { code: 'FST_BGT_INVALID_OPTIONS', message }, message)
    }
    t.match(app.backgroundTasks.stats(), { waiting: 0, delayed: 0 })
  })
}

t.test('schemas of TypeBox 1 check the payload and the result', async (t) => {
  const app = await createApp(t)
  const task = defineTask({
    name: 'typebox 1',
    payload: TypeBox1.Object({ width: TypeBox1.Optional(TypeBox1.Integer({ minimum: 1 })), id: TypeBox1.String({ format: 'uuid' }) }),
    result: TypeBox1.Object({ double: TypeBox1.Integer() }),
    handler: ({ width = 1 }) => ({ double: width * 2 })
  })
  const id = '4dc5b3a4-2f36-4a3c-8a0f-3a1f2f6a1b55'
  const added = app.backgroundTasks.add(task, { width: 21, id })
  t.throws(() => app.backgroundTasks.add(task, { width: 0, id }), { code: 'FST_BGT_INVALID_PAYLOAD', message: 'payload/width must be >= 1' })
  await app.backgroundTasks.idle()
  t.same(added.result, { double: 42 })
})

t.test('Type is the one of TypeBox', async (t) => {
  t.equal(OwnType, Type)
})
