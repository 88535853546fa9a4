import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { threadId } from 'node:worker_threads'
import t from 'tap'
import { type Task, defineTask } from '../../index.js'
import { captureTasks } from '../../lib/testing.js'
import { useFakeTimers } from '../support/clock.js'
import { createDistantEngine, createEngine } from '../support/engine.js'
import { Slots, createThreadApp, fileTask, finalSnapshot, fixture, watch } from '../support/threads.js'
import { nextTurn, turnUntil } from '../support/turns.js'

t.test('a file runs in a worker thread and gets payload, id, name and attempt', async (t) => {
  const app = await createThreadApp(t)
  const task = app.backgroundTasks.add(fileTask('where.js'), { deep: [{ n: 1 }] })
  await app.backgroundTasks.idle()
  t.match(task.result, { payload: { deep: [{ n: 1 }] }, id: task.id, name: 'where.js', attempt: 1 })
  t.not(task.result.threadId, threadId)
})

/** Threads of a program that runs with tsx. What tsx makes of a file would spoil the coverage of it. */
const withTsx = { execArgv: ['--require', createRequire(import.meta.url).resolve('tsx/cjs')], env: { NODE_V8_COVERAGE: '' } }

for (const file of ['double.js', 'double.cjs', 'compiled.cjs', 'double.ts']) {
  t.test(`the default export of ${file} is called, given as a URL, as its text or as a path`, async (t) => {
    const app = await createThreadApp(t, { threads: file.endsWith('.ts') ? withTsx : {} })
    const url = fixture(file)
    const tasks = [url, url.href, fileURLToPath(url)].map((file) =>
      app.backgroundTasks.add(defineTask({ name: 'double', payload: {}, file }), { n: 21 }))
    await app.backgroundTasks.idle()
    t.same(tasks.map(({ result, error }) => [result, error]), Array(3).fill([42, undefined]))
  })
}

t.test('functions and files of one request run one at a time, in the order added', async (t) => {
  const slots = new Slots()
  const app = await createThreadApp(t, { threads: { workerData: slots.workerData } })
  const seen: string[][] = []
  app.get('/', async ({ backgroundTasks }) => {
    const tasks: Task[] = []
    const look = (): void => { seen.push(tasks.map(({ state }) => state)) }
    tasks.push(backgroundTasks.add(look))
    tasks.push(backgroundTasks.add(fileTask('hold.js'), {}))
    tasks.push(backgroundTasks.add(look))
    tasks.push(backgroundTasks.add(fileTask('double.js'), { n: 1 }))
    tasks.push(backgroundTasks.add(look))
    return 'ok'
  })
  await app.inject('/')
  await slots.untilStarted(1)
  t.equal(seen.length, 1)
  slots.release()
  await app.backgroundTasks.idle()
  t.same(seen, [
    ['active', 'waiting', 'waiting', 'waiting', 'waiting'],
    ['completed', 'completed', 'active', 'waiting', 'waiting'],
    ['completed', 'completed', 'completed', 'completed', 'active']
  ])
})

for (const [title, engine] of [
  ['an engine in this process', createEngine()],
  ['an engine that keeps tasks elsewhere', createDistantEngine()]
] as const) {
  t.test(`a registered file task is run by ${title}, and its snapshot has the progress and the declared result`, async (t) => {
    const result = { type: 'object', properties: { attempt: { type: 'integer' }, payload: {} } }
    const [where, report] = [fileTask('where.js', { result }), fileTask('progress.js')]
    const app = await createThreadApp(t, { engine, tasks: [where, report] })
    const tasks: Task[] = []
    app.get('/', async ({ backgroundTasks }) => {
      tasks.push(backgroundTasks.add(where, { n: 1 }), backgroundTasks.add(report, { values: [0.5] }))
      return 'ok'
    })
    await app.inject('/')
    const snapshots = await Promise.all(tasks.map(({ id }) => finalSnapshot(app, id)))
    t.match(snapshots, [{ state: 'completed', attempt: 1 }, { state: 'completed', progress: 0.5 }])
    t.same(snapshots.map(({ result }) => result), [{ payload: { n: 1 }, attempt: 1 }, undefined])
  })
}

t.test('progress is seen while the file runs', async (t) => {
  const slots = new Slots()
  const app = await createThreadApp(t, { threads: { workerData: slots.workerData } })
  const task = app.backgroundTasks.add(fileTask('hold.js'), { progress: 0.5 })
  await turnUntil(() => task.toJSON().progress === 0.5)
  t.equal(task.state, 'active')
  slots.release()
  await app.backgroundTasks.idle()
})

t.test('the last value of progress arrives before the task has ended', async (t) => {
  const app = await createThreadApp(t)
  const task = app.backgroundTasks.add(fileTask('progress.js'), { values: [0, 0.5, 'almost', { done: true }] })
  const seen: unknown[] = []
  watch(app, task, () => { if (task.state === 'active') seen.push(task.toJSON().progress) })
  await app.backgroundTasks.idle()
  t.same(seen.at(-1), { done: true })
  t.same(task.toJSON().progress, { done: true })
})

for (const [what, payload] of [['messages that a file sends of its own are left alone', {}], ['progress nested deeper than the process can copy fails nothing', { isDeep: true }]] as const) {
  t.test(what, async (t) => {
    const slots = new Slots()
    const app = await createThreadApp(t, { threads: { workerData: slots.workerData } })
    const task = app.backgroundTasks.add(fileTask('messages.js'), payload)
    const seen = new Set<unknown>()
    watch(app, task, () => { seen.add(task.toJSON().progress) })
    await turnUntil(() => seen.has('the last'))
    slots.release()
    await app.backgroundTasks.idle()
    t.equal(task.result, 'sent')
    t.same([...seen], [undefined, 'the last'])
  })
}

t.test('no more tasks run at once than there are threads', async (t) => {
  const slots = new Slots()
  const app = await createThreadApp(t, { threads: { maxThreads: 2, workerData: slots.workerData } })
  const tasks = Array.from({ length: 5 }, (_, n) => app.backgroundTasks.add(fileTask('hold.js'), { n }))
  await slots.untilStarted(2)
  const other = app.backgroundTasks.add(() => 'not in their way')
  await turnUntil(() => other.state === 'completed')
  t.equal(slots.started, 2)
  slots.release()
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ result }) => result), tasks.map((task, n) => ({ n })))
})

t.test('tasks get a thread in the order of arrival', async (t) => {
  const app = await createThreadApp(t)
  const tasks = Array.from({ length: 8 }, (_, n) => app.backgroundTasks.add(fileTask('double.js'), { n }))
  const ended: number[] = []
  for (const task of tasks) watch(app, task, () => { if (task.state === 'completed') ended.push(task.result) })
  await app.backgroundTasks.idle()
  t.same(ended, [0, 2, 4, 6, 8, 10, 12, 14])
})

t.test('a task that waits for a thread can be cancelled, and those behind it move up', async (t) => {
  const slots = new Slots()
  const app = await createThreadApp(t, { threads: { workerData: slots.workerData } })
  const [first, second, third] = [1, 2, 3].map((n) => app.backgroundTasks.add(fileTask('hold.js'), { n }))
  await slots.untilStarted(1)
  t.equal(second!.cancel(), true)
  slots.release()
  await app.backgroundTasks.idle()
  t.same([first, second, third].map((task) => [task!.state, task!.result]),
    [['completed', { n: 1 }], ['cancelled', undefined], ['completed', { n: 3 }]])
  t.equal(slots.started, 2)
})

t.test('the timeout of a task begins when a thread takes it', async (t) => {
  const slots = new Slots()
  const app = await createThreadApp(t, { threads: { workerData: slots.workerData } })
  app.backgroundTasks.add(fileTask('hold.js'), {})
  await slots.untilStarted(1)
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add(fileTask('loop.js', { timeout: 1000 }), {})
  await turnUntil(() => task.state === 'active')
  await nextTurn()
  tick(60_000)
  t.equal(task.state, 'active')
  slots.release()
  await slots.untilStarted(2)
  await nextTurn()
  await nextTurn()
  tick(999)
  t.equal(task.state, 'active')
  tick(1)
  t.equal(task.state, 'failed')
  t.match(task.error, { code: 'FST_BGT_TIMEOUT', message: 'task "loop.js" timed out after 1000 ms' })
})

t.test('a retried task runs again, in a thread that knows the number of the attempt', async (t) => {
  const app = await createThreadApp(t)
  const task = app.backgroundTasks.add(fileTask('third-time.js', { retry: { retries: 3, delay: 0 } }), {})
  await app.backgroundTasks.idle()
  t.match(task, { state: 'completed', attempt: 3, result: 'lucky' })
})

t.test('a captured file task runs when the capture is run', async (t) => {
  const app = await createThreadApp(t)
  const capture = captureTasks(app)
  const task = app.backgroundTasks.add(fileTask('double.js'), { n: 2 })
  t.match(capture.tasks, [{ name: 'double.js', args: [{ n: 2 }] }])
  await capture.run()
  t.equal(task.result, 4)
})

t.test('the result of a file is what the schema says, or else all of it', async (t) => {
  const app = await createThreadApp(t)
  const result = { type: 'object', properties: { name: { type: 'string' } } }
  const [filtered, whole] = [fileTask('where.js', { result }), fileTask('where.js')].map((task) => app.backgroundTasks.add(task, {}))
  await app.backgroundTasks.idle()
  t.same(filtered!.result, { name: 'where.js' })
  t.match(whole!.result, { name: 'where.js', threadId: Number })
})
