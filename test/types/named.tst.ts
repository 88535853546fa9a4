import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'tstyche'
import Type1, { type Static } from 'typebox'
import {
  type AppBackgroundTasks, type Around, type BackgroundTasksOptions, type NamedTask, type RequestBackgroundTasks, type ScheduleSnapshot, type Task,
  type TaskAdder, type TaskSchedule, type ValueOf, Type as Own, defineTask, implementTask
} from '../../index.js'

declare const tasks: TaskAdder
declare const app: AppBackgroundTasks

const resize = defineTask({
  name: 'resize',
  payload: Type.Object({ key: Type.String(), width: Type.Integer(), format: Type.Optional(Type.Union([Type.Literal('png'), Type.Literal('webp')])) }),
  result: Type.Object({ bytes: Type.Integer() }),
  async handler ({ key, width }) { return { bytes: key.length * width } }
})
const log = defineTask({ name: 'log', payload: Type.String(), handler () {} })
const plain = defineTask({
  name: 'plain', payload: { type: 'object', properties: { key: { type: 'string' } } }, handler () {}
})

describe('a declaration and its implementation', () => {
  const declared = defineTask({ name: 'a', payload: Type.Object({ n: Type.Integer() }), result: Type.String() })

  test('a definition without handler and file is a named task with types', () => {
    expect(declared).type.toBe<NamedTask<{ n: number }, string>>()
  })

  test('the handler has the types of the declaration', () => {
    const implemented = implementTask(declared, {
      timeout: 5,
      handler (payload, task) {
        expect(payload).type.toBe<{ n: number }>()
        expect(task).type.toBe<Task>()
        expect(this).type.toBe<FastifyInstance>()
        return 'text'
      }
    })
    expect(implemented).type.toBe<NamedTask<{ n: number }, string>>()
    expect(implementTask).type.toBeCallableWith(declared, { async handler () { return 'text' } })
    expect(implementTask).type.toBeCallableWith(declared, { file: '/task.js', around: (task: Task, run: () => Promise<unknown>) => run() })
  })

  test('refuses what does not fit', () => {
    expect(implementTask(declared, { handler: () => 'text' })).type.toBeAssignableTo<NamedTask>()
    expect(implementTask<{ n: number }, string>).type.not.toBeCallableWith(declared, { handler: () => 5 })
    expect(implementTask).type.not.toBeCallableWith(declared, {})
    expect(implementTask).type.not.toBeCallableWith(declared, { handler: () => 5 })
    expect(implementTask).type.not.toBeCallableWith(declared, { handler: (payload: { n: number, m: string }) => payload.m })
    expect(implementTask).type.not.toBeCallableWith(declared, { handler: async (): Promise<string | undefined> => undefined })
    expect(implementTask).type.not.toBeCallableWith(declared, { handler: () => 'text', file: '/task.js' })
    expect(implementTask).type.not.toBeCallableWith(declared, { handler: () => 'text', name: 'b' })
    expect(implementTask).type.not.toBeCallableWith(() => {}, { handler: () => 'text' })
  })
})

test('around has a task and a function that runs the attempt', () => {
  const around: Around = async (task, run) => {
    expect(task).type.toBe<Task>()
    expect(run).type.toBe<() => Promise<unknown>>()
    await run()
  }
  expect(defineTask).type.toBeCallableWith({ name: 'a', payload: {}, handler () {}, around })
  expect<BackgroundTasksOptions>().type.toBeAssignableFrom({ around, maxPayload: 5 })
  expect<BackgroundTasksOptions>().type.not.toBeAssignableFrom({ around: 5 })
})

describe('the definition', () => {
  test('types the payload and the result by their schemas', () => {
    expect(resize).type.toBe<NamedTask<{ key: string, width: number, format?: 'png' | 'webp' }, { bytes: number }>>()
    expect(resize.name).type.toBe<string>()
  })

  test('gives the handler its payload, its task and the Fastify instance', () => {
    defineTask({
      name: 'typed',
      payload: Type.Object({ list: Type.Array(Type.Number()) }),
      handler (payload, task) {
        expect(payload).type.toBe<{ list: number[] }>()
        expect(task).type.toBe<Task>()
        expect(this).type.toBe<FastifyInstance>()
      }
    })
  })

  test('takes an async handler, a sync one, and one with fewer parameters', () => {
    const result = Type.Object({ bytes: Type.Integer() })
    const payload = Type.Object({})
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload, result, handler: () => ({ bytes: 1 }) })
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload, result, handler: async () => ({ bytes: 1 }) })
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload, handler: () => {} })
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload, handler: async () => 'anything' })
  })

  test('takes a schedule, whose payload fits the schema', () => {
    const payload = Type.Object({ days: Type.Integer() })
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload, schedule: { cron: '0 3 * * *' }, handler () {} })
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload, schedule: { cron: '0 3 * * *', timezone: 'UTC', payload: { days: 1 } }, handler () {} })
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload: {}, schedule: { cron: '0 3 * * *', payload: 'any' }, handler () {} })
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload, schedule: { cron: '0 3 * * *' }, file: '/a.js' })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload, schedule: { cron: '0 3 * * *', payload: { days: '1' } }, handler () {} })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload, schedule: { timezone: 'UTC' }, handler () {} })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload, schedule: { cron: '0 3 * * *', zone: 'UTC' }, handler () {} })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload, schedule: '0 3 * * *', handler () {} })
    const shared: TaskSchedule<{ days: number }> = { cron: '0 3 * * *', payload: { days: 1 } }
    expect(defineTask({ name: 'a', payload, schedule: shared, handler () {} })).type.toBe<NamedTask<{ days: number }, any>>()
  })

  test('takes a schedule in a declaration and in its implementation', () => {
    const declared = defineTask({ name: 'a', payload: Type.Object({ days: Type.Integer() }), schedule: { cron: '0 3 * * *', payload: { days: 1 } } })
    expect(declared).type.toBe<NamedTask<{ days: number }, any>>()
    expect(implementTask).type.toBeCallableWith(declared, { schedule: { cron: '0 4 * * *', payload: { days: 1 } }, handler () {} })
    expect(implementTask).type.not.toBeCallableWith(declared, { schedule: { cron: '0 4 * * *', payload: { days: '1' } }, handler () {} })
  })

  test('gives the app its schedules', () => {
    expect(app.schedules()).type.toBe<ScheduleSnapshot[]>()
    expect<ScheduleSnapshot>().type.toBe<{ name: string, cron: string, timezone: string, nextRunAt?: string }>()
  })

  test('refuses a result that does not fit its schema', () => {
    const result = Type.Object({ bytes: Type.Integer() })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload: Type.Object({}), result, handler: () => ({ bytes: '1' }) })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload: Type.Object({}), result, handler: async () => ({}) })
  })

  test('refuses a definition that lacks something or has too much', () => {
    const payload = Type.Object({})
    expect(defineTask).type.not.toBeCallableWith({ payload, handler () {} })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', handler () {} })
    expect(defineTask).type.not.toBeCallableWith({ name: 1, payload, handler () {} })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload: 'object', handler () {} })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload, handler () {}, timout: 5 })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload, handler () {}, delay: 5 })
  })

  test('takes when, timeout and retry', () => {
    const payload = Type.Object({})
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload, handler () {}, when: 'success', timeout: 5, retry: 3 })
    expect(defineTask).type.toBeCallableWith({ name: 'a', payload, handler () {}, retry: { retries: 3, retryIf: () => true } })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload, handler () {}, when: 'never' })
    expect(defineTask).type.not.toBeCallableWith({ name: 'a', payload, handler () {}, retry: { delay: 5 } })
  })

  test('takes a plain JSON schema, whose payload is any', () => {
    defineTask({
      name: 'plain',
      payload: { type: 'object' },
      handler (payload) { expect(payload).type.toBe<any>() }
    })
    defineTask({
      name: 'as const',
      payload: { type: 'object', properties: { key: { type: 'string' } }, required: ['key'] } as const,
      handler (payload) { expect(payload).type.toBe<any>() }
    })
  })
})

describe('schemas', () => {
  test('of TypeBox 1 type the value as its Static does', () => {
    const everything = Type1.Object({
      text: Type1.String(),
      number: Type1.Optional(Type1.Integer({ minimum: 1 })),
      flag: Type1.Boolean(),
      nothing: Type1.Null(),
      list: Type1.Array(Type1.Number()),
      pair: Type1.Tuple([Type1.String(), Type1.Number()]),
      either: Type1.Union([Type1.Literal('png'), Type1.Literal(5), Type1.Object({ deep: Type1.String() })]),
      one: Type1.Enum(['a', 'b']),
      map: Type1.Record(Type1.String(), Type1.Number()),
      empty: Type1.Object({}),
      own: Type1.Unsafe<`${number}px`>({ type: 'string' }),
      whatever: Type1.Unknown(),
      all: Type1.Any()
    })
    expect<ValueOf<typeof everything>>().type.toBe<Static<typeof everything>>()
    type Both = Type1.TIntersect<[Type1.TObject<{ a: Type1.TString }>, Type1.TObject<{ b: Type1.TString }>]>
    expect<ValueOf<Both>>().type.toBe<Static<Both>>()
    const task = defineTask({
      name: 'typebox 1',
      payload: everything,
      result: Type1.Object({ bytes: Type1.Integer() }),
      handler ({ list }) {
        expect(list).type.toBe<number[]>()
        return { bytes: list.length }
      }
    })
    expect(task).type.toBe<NamedTask<Static<typeof everything>, { bytes: number }>>()
    expect(defineTask).type.not.toBeCallableWith({
      name: 'a', payload: everything, result: Type1.Object({ bytes: Type1.Integer() }), handler: () => ({ bytes: '1' })
    })
  })

  test('of TypeBox 1 that refer to others, or have a codec, are any', () => {
    expect<ValueOf<Type1.TRef<'Node'>>>().type.toBe<any>()
    expect<ValueOf<Type1.TCodec<Type1.TString, Date>>>().type.toBe<any>()
  })

  test('typed as an interface are taken, and are any', () => {
    interface KeySchema { type: 'object', properties: { key: { type: 'string' } } }
    defineTask({
      name: 'interface',
      payload: {} as KeySchema,
      result: {} as KeySchema,
      handler (payload) { expect(payload).type.toBe<any>() }
    })
  })

  test('are made by Type of the main entry too', () => {
    expect(Own).type.toBe<typeof Type>()
  })
})

describe('add', () => {
  test('takes a payload that fits the schema', () => {
    expect(tasks.add).type.toBeCallableWith(resize, { key: 'a', width: 5 })
    expect(tasks.add).type.toBeCallableWith(resize, { key: 'a', width: 5, format: 'png' as const })
    expect(tasks.add).type.toBeCallableWith(log, 'hello')
    expect(tasks.add).type.toBeCallableWith(plain, { whatever: true })
  })

  test('refuses a payload that does not', () => {
    expect(tasks.add).type.not.toBeCallableWith(resize)
    expect(tasks.add).type.not.toBeCallableWith(resize, {})
    expect(tasks.add).type.not.toBeCallableWith(resize, undefined)
    expect(tasks.add).type.not.toBeCallableWith(resize, { key: 'a' })
    expect(tasks.add).type.not.toBeCallableWith(resize, { key: 'a', width: '5' })
    expect(tasks.add).type.not.toBeCallableWith(resize, { key: 'a', width: 5, format: 'gif' })
    expect(tasks.add).type.not.toBeCallableWith(log, 5)
    expect(tasks.add).type.not.toBeCallableWith(log, { text: 'hello' })
  })

  test('refuses a property that the schema does not name, in a literal', () => {
    expect(tasks.add).type.not.toBeCallableWith(resize, { key: 'a', width: 5, height: 5 })
    expect(app.add).type.not.toBeCallableWith(resize, { key: 'a', width: 5, height: 5 })
    expect(tasks.add).type.not.toBeCallableWith(resize, { key: 'a', width: 5, height: 5 }, { delay: 5 })
    const wider = { key: 'a', width: 5, height: 5 }
    expect(tasks.add).type.toBeCallableWith(resize, wider)
    expect(tasks.add).type.toBeCallableWith(plain, { key: 'a', height: 5 })
  })

  test('gives a task with the type of the result', () => {
    expect(tasks.add(resize, { key: 'a', width: 5 })).type.toBe<Task<{ bytes: number }>>()
    expect(tasks.add(resize, { key: 'a', width: 5 }).result).type.toBe<{ bytes: number } | undefined>()
    expect(tasks.add(plain, {})).type.toBe<Task<any>>()
  })

  test('takes options of the call', () => {
    const payload = { key: 'a', width: 5 }
    expect(tasks.add).type.toBeCallableWith(resize, payload, {})
    expect(tasks.add).type.toBeCallableWith(resize, payload, { delay: 5, key: 'k', priority: 1, when: 'error', timeout: 5, retry: 1 })
    expect(tasks.add).type.not.toBeCallableWith(resize, payload, { name: 'other' })
    expect(tasks.add).type.not.toBeCallableWith(resize, payload, { dealy: 5 })
    expect(tasks.add).type.not.toBeCallableWith(resize, payload, { key: 5 })
    expect(tasks.add).type.not.toBeCallableWith(resize, payload, 'k')
    expect(tasks.add).type.not.toBeCallableWith({ timeout: 5 }, resize, payload)
  })

  test('refuses what only looks like a named task', () => {
    expect(tasks.add).type.not.toBeCallableWith({ name: 'resize' }, { key: 'a', width: 5 })
    expect(tasks.add).type.not.toBeCallableWith({ name: 'resize', payload: {}, handler () {} }, { key: 'a', width: 5 })
    expect(tasks.add).type.not.toBeCallableWith('resize', { key: 'a', width: 5 })
  })
})

describe('registering', () => {
  test('takes named tasks of any payload', () => {
    expect(app.register).type.toBeCallableWith(resize, log, plain)
    expect(app.register).type.toBeCallableWith()
    expect<BackgroundTasksOptions>().type.toBeAssignableFrom({ tasks: [resize, log, plain] })
  })

  test('refuses anything else', () => {
    expect(app.register).type.not.toBeCallableWith([resize])
    expect(app.register).type.not.toBeCallableWith(() => {})
    expect(app.register).type.not.toBeCallableWith({ name: 'resize' })
    expect<BackgroundTasksOptions>().type.not.toBeAssignableFrom({ tasks: resize })
    expect<BackgroundTasksOptions>().type.not.toBeAssignableFrom({ tasks: [() => {}] })
  })
})

test('flush takes a client of a transaction', () => {
  const flush = {} as RequestBackgroundTasks['flush']
  expect(flush()).type.toBe<Promise<void>>()
  expect(flush).type.toBeCallableWith({ client: { query: async (text: string, values: any[]) => ({ rows: [text, values] }) } })
  expect(flush).type.not.toBeCallableWith({ client: {} })
  expect(flush).type.not.toBeCallableWith({ clint: 5 })
})
