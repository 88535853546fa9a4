import t from 'tap'
import { type Around, type BackgroundTasksOptions, type NamedTask, type SharedTaskOptions, type Task, Type, defineTask, implementTask } from '../../index.js'
import { captureTasks } from '../../lib/testing.js'
import { createApp } from '../support/app.js'
import { createDistantEngine } from '../support/engine.js'
import { SharedStore } from '../support/shared-store.js'
import { fixture } from '../support/threads.js'
import { nextTurn } from '../support/turns.js'

const payload = Type.Object({ n: Type.Integer() })
const declared = defineTask({ name: 'double', payload, result: Type.Integer() })
const double = implementTask(declared, { handler: ({ n }) => 2 * n })

t.test('a declaration and its implementation share name, payload and result', async (t) => {
  t.equal(double.name, 'double')
  const app = await createApp(t, { tasks: [double] })
  await app.ready()
  t.throws(() => app.backgroundTasks.add(double, { n: 'two' } as never), { code: 'FST_BGT_INVALID_PAYLOAD', message: 'payload/n must be integer' })
  const task = app.backgroundTasks.add(double, { n: 21 })
  await app.backgroundTasks.idle()
  t.equal(task.result, 42)
  t.match(await app.backgroundTasks.get(task.id), { result: 42 })
})

t.test('what registered the declaration adds, a worker with the implementation runs', async (t) => {
  const store = new SharedStore()
  const web = await createApp(t, { engine: store.createEngine(), worker: false, tasks: [declared] })
  const worker = await createApp(t, { engine: store.createEngine(), tasks: [double] })
  web.post('/', async (request) => ({ id: request.backgroundTasks.add(declared, { n: 21 }).id }))
  await Promise.all([web.ready(), worker.ready()])
  const { id } = (await web.inject({ method: 'POST', url: '/' })).json()
  while ((await web.backgroundTasks.get(id))?.state !== 'completed') await nextTurn()
  t.match(await web.backgroundTasks.get(id), { name: 'double', result: 42 })
})

t.test('a task runs with the timeout and the retries that the process knew which added it', async (t) => {
  const store = new SharedStore()
  const base = defineTask({ name: 'work', payload: {}, timeout: 1234, retry: { retries: 1, delay: 1 } })
  const seen: unknown[] = []
  const work = implementTask(base, {
    timeout: 5678,
    retry: 9,
    async handler (payload, task) { seen.push((task as unknown as { options: object }).options) }
  })
  const web = await createApp(t, { engine: store.createEngine(), worker: false, tasks: [base] })
  const worker = await createApp(t, { engine: store.createEngine(), tasks: [work] })
  await Promise.all([web.ready(), worker.ready()])
  web.backgroundTasks.add(base, {})
  worker.backgroundTasks.add(base, {})
  while (seen.length < 2) await nextTurn()
  t.same(seen.map((options) => (options as { timeout: number }).timeout).sort(), [1234, 5678])
  t.same(seen.map((options) => (options as { retry: { retries: number } }).retry.retries).sort(), [1, 9])
})

t.test('a stored task runs inside the around of its worker, not of the process that added it', async (t) => {
  const store = new SharedStore()
  const seen: string[] = []
  const note = (name: string): Around => (task, run) => {
    seen.push(name)
    return run()
  }
  const web = await createApp(t, { engine: store.createEngine(), worker: false, tasks: [declared], around: note('web') })
  const worker = await createApp(t, { engine: store.createEngine(), tasks: [double], around: note('worker') })
  await Promise.all([web.ready(), worker.ready()])
  web.backgroundTasks.add(declared, { n: 1 })
  while (worker.backgroundTasks.stats().completed < 1) await nextTurn()
  t.same(seen, ['worker'])
})

t.test('where the implementation is registered, an add of the declaration adds that', async (t) => {
  for (const engine of [undefined, createDistantEngine()]) {
    const app = await createApp(t, { tasks: [double], ...(engine && { engine }) })
    await app.ready()
    const { id } = app.backgroundTasks.add(declared, { n: 21 })
    await app.backgroundTasks.idle()
    while ((await app.backgroundTasks.get(id))?.state !== 'completed') await nextTurn()
    t.match(await app.backgroundTasks.get(id), { result: 42 })
  }
})

t.test('the options of the implementation win over those of the declaration', async (t) => {
  const seen: unknown[] = []
  const around = (name: string) => (task: Task, run: () => Promise<unknown>) => {
    seen.push(name)
    return run()
  }
  const options: SharedTaskOptions = { when: 'success', timeout: 1, retry: 5 }
  const base = defineTask({ name: 'work', payload: {}, ...options, around: around('declaration') })
  const works: Array<[NamedTask, object]> = [
    [implementTask(base, { handler () {} }), { when: 'success', timeout: 1, retry: { retries: 5 } }],
    [implementTask(base, { handler () {}, when: 'always', timeout: 2, retry: 0, around: around('implementation') }), { when: 'always', timeout: 2, retry: undefined }]
  ]
  for (const [work, expected] of works) {
    const app = await createApp(t)
    await app.ready()
    const task = app.backgroundTasks.add(work, {})
    t.match((task as unknown as { options: object }).options, expected)
    await app.backgroundTasks.idle()
  }
  t.same(seen, ['declaration', 'implementation'])
})

t.test('the schedule of the implementation wins over that of the declaration', async (t) => {
  const base = defineTask({ name: 'work', payload: {}, schedule: { cron: '0 3 * * *' } })
  for (const [schedule, cron] of [[{}, '0 3 * * *'], [{ schedule: { cron: '0 4 * * *' } }, '0 4 * * *']] as const) {
    const app = await createApp(t, { tasks: [implementTask(base, { handler () {}, ...schedule })] })
    await app.ready()
    t.match(app.backgroundTasks.schedules(), [{ name: 'work', cron }])
  }
})

t.test('a declaration may be implemented by a file', async (t) => {
  const work = implementTask(declared, { file: fixture('double.js') })
  const app = await createApp(t, { threads: { maxThreads: 1 }, tasks: [work] })
  await app.ready()
  const task = app.backgroundTasks.add(declared, { n: 21 })
  await app.backgroundTasks.idle()
  t.equal(task.result, 42)
})

t.test('a declaration is implemented as often as need be, each app has one', async (t) => {
  const triple = implementTask(declared, { handler: ({ n }) => 3 * n })
  for (const [work, result] of [[double, 42], [triple, 63]] as const) {
    const app = await createApp(t, { tasks: [work] })
    await app.ready()
    const task = app.backgroundTasks.add(declared, { n: 21 })
    await app.backgroundTasks.idle()
    t.equal(task.result, result)
  }
})

const notImplemented = {
  code: 'FST_BGT_INVALID_TASK',
  message: 'a task without handler and file must be implemented by implementTask to run here, received the declaration "double"'
}

t.test('a worker that knows only the declaration does not start', async (t) => {
  for (const options of [{}, { engine: createDistantEngine() }] as BackgroundTasksOptions[]) {
    const app = await createApp(t, { tasks: [declared], ...options })
    await t.rejects(async () => await app.ready(), notImplemented)
  }
})

t.test('a worker does not start either if another plugin registers the declaration in a hook at the start, nor does it take one later', async (t) => {
  const app = await createApp(t, { tasks: [implementTask(defineTask({ name: 'other', payload: {} }), { handler () {} })] })
  app.addHook('onReady', async () => { app.backgroundTasks.register(declared) })
  await t.rejects(async () => await app.ready(), notImplemented)

  const worker = await createApp(t, { tasks: [defineTask({ name: 'other', payload: {}, handler () {} })] })
  await worker.ready()
  t.throws(() => { worker.backgroundTasks.register(declared) }, notImplemented)
  t.throws(() => worker.backgroundTasks.add(declared, { n: 1 }), { code: 'FST_BGT_INVALID_TASK' }, 'nothing was registered')
  worker.backgroundTasks.register(double)
  const task = worker.backgroundTasks.add(declared, { n: 21 })
  await worker.backgroundTasks.idle()
  t.equal(task.result, 42)
})

t.test('a process that only stores may register the declaration in a hook at the start', async (t) => {
  const engine = createDistantEngine()
  const app = await createApp(t, { engine, worker: false })
  app.backgroundTasks.register(defineTask({ name: 'other', payload: {} }))
  app.addHook('onReady', async () => { app.backgroundTasks.register(declared) })
  await app.ready()
  app.backgroundTasks.add(declared, { n: 1 })
  await app.backgroundTasks.idle()
  t.same(engine.batches.map((batch) => batch.map(({ name }) => name)), [['double']])
})

t.test('declaration and implementation in one app are one name twice', async (t) => {
  await t.rejects(createApp(t, { tasks: [declared, double] }), { code: 'FST_BGT_DUPLICATE_TASK' })
  const app = await createApp(t, { tasks: [double] })
  t.throws(() => { app.backgroundTasks.register(declared) }, { code: 'FST_BGT_DUPLICATE_TASK' })
})

t.test('adding a declaration that is not registered throws', async (t) => {
  const other = implementTask(defineTask({ name: 'double', payload }), { handler () {} })
  for (const tasks of [[], [other]] as NamedTask[][]) {
    const app = await createApp(t, { tasks })
    await app.ready()
    t.throws(() => app.backgroundTasks.add(declared, { n: 1 }), {
      code: 'FST_BGT_INVALID_TASK',
      message: 'a task without handler and file must be registered, received the declaration "double"'
    })
    t.equal(app.backgroundTasks.stats().waiting, 0)
  }
})

t.test('a captured declaration cannot be run', async (t) => {
  const app = await createApp(t, { worker: false, tasks: [declared] })
  await app.ready()
  const captured = captureTasks(app)
  app.backgroundTasks.add(declared, { n: 1 })
  t.match(captured.tasks, [{ name: 'double', args: [{ n: 1 }] }])
  await t.rejects(captured.run(), { errors: [notImplemented] })
})

const noDeclaration = 'implementTask takes a task that defineTask made without handler and file'
for (const [title, value, received] of [
  ['an implementation', double, 'the task "double", which has a handler'],
  ['a task with a handler', defineTask({ name: 'whole', payload: {}, handler () {} }), 'the task "whole", which has a handler'],
  ['a function', () => {}, 'function (anonymous)'],
  ['nothing', undefined, 'undefined'],
  ['an object with a name', { name: 'double' }, 'an object of type Object']
] as const) {
  t.test(`implementTask refuses ${title}`, async (t) => {
    t.throws(() => implementTask(value as never, { handler () {} }), { code: 'FST_BGT_INVALID_TASK', message: `${noDeclaration}, received ${received}` })
  })
}

for (const [part, message] of [
  [undefined, 'options must be an object, received undefined'],
  [{}, 'option "handler" must be a function, received undefined, and there is no "file" either'],
  [{ handler: 1 }, 'option "handler" must be a function, received 1'],
  [{ handler () {}, file: '/a.js' }, 'option "file" must be left out where there is a "handler", received "/a.js"'],
  [{ file: 'a.js' }, 'option "file" must be a file: URL or an absolute path, received "a.js"'],
  [{ handler () {}, name: 'other' }, 'unknown option "name", received "other"'],
  [{ handler () {}, around: 1 }, 'option "around" must be a function, received 1'],
  [{ handler () {}, timeout: 0 }, 'option "timeout" must be an integer from 1 to 2147483647, received 0']
] as const) {
  t.test(`implementTask says: ${message}`, async (t) => {
    t.throws(() => implementTask(declared, part as never), { code: 'FST_BGT_INVALID_OPTIONS', message })
  })
}
