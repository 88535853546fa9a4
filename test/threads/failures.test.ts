import { getEventListeners } from 'node:events'
import t from 'tap'
import type { ThreadOptions } from '../../index.js'
import { createLog } from '../support/log.js'
import { Slots, createThreadApp, fileTask, fixture } from '../support/threads.js'
import { turnUntil } from '../support/turns.js'

const failing = fileTask('failures.js')

const thrown: Array<[kind: string, error: unknown]> = [
  ['error', {
    name: 'OrderError',
    message: 'no such item',
    code: 'E_ORDER',
    details: { line: 3 },
    stack: /failures\.js/,
    cause: { name: 'RangeError', message: 'out of stock' }
  }],
  ['error with a cause that cannot be cloned', { name: 'OrderError', message: 'no such item', code: 'E_ORDER', stack: /failures\.js/ }],
  ['error with a getter that throws', { name: 'OrderError', message: 'no such item', code: 'E_ORDER', stack: /failures\.js/ }],
  ['error whose name cannot be read', { name: 'Error', message: 'no such item', code: 'E_ORDER' }],
  ['error whose message cannot be read', { name: 'OrderError', message: 'an error that cannot be read', code: 'E_ORDER' }],
  ['error of another realm', { name: 'RangeError', message: 'no such item' }],
  ['proxy that throws', { name: 'Error', message: 'an error that cannot be read' }],
  ['rejection', { name: 'OrderError', message: 'no such item', code: 'E_ORDER' }],
  ['aborted signal', { name: 'AbortError', message: 'This operation was aborted' }],
  ['progress that is not JSON', { name: 'TypeError', message: 'progress must be JSON, received undefined' }]
]

for (const [kind, error] of thrown) {
  t.test(`what a file throws is the error of its task: ${kind}`, async (t) => {
    const app = await createThreadApp(t)
    const [task, next] = [app.backgroundTasks.add(failing, { kind }), app.backgroundTasks.add(fileTask('double.js'), { n: 1 })]
    await app.backgroundTasks.idle()
    t.equal(task.state, 'failed')
    t.ok(task.error instanceof Error)
    t.match(task.error, error)
    t.equal(next.result, 2)
  })
}

const values: Array<[kind: string, value: unknown]> = [
  ['null', null],
  ['undefined', undefined],
  ['string', 'no such item'],
  ['object', { reason: 'no such item' }],
  ['function', '[Function: item]'],
  ['object with a getter that throws', "{ reason: 'no such item', stock: [Getter] }"],
  ['object that cannot be shown', 'an object']
]

for (const [kind, value] of values) {
  t.test(`a file that throws ${kind} has failed with it`, async (t) => {
    const errors: unknown[] = []
    const app = await createThreadApp(t, { onError: (error) => { errors.push(error) } })
    const task = app.backgroundTasks.add(failing, { kind })
    await app.backgroundTasks.idle()
    t.equal(task.state, 'failed')
    t.same(errors, [value])
  })
}

const lost: Array<[kind: string, message: string, cause: object]> = [
  ['process.exit', 'worker exited with code: 3', {}],
  ['process.exit on time', 'worker exited with code: 0', {}],
  ['uncaught exception', 'nobody catches this', { name: 'OrderError', code: 'E_ORDER' }],
  ['too much memory', 'Worker terminated due to reaching memory limit: JS heap out of memory', { code: 'ERR_WORKER_OUT_OF_MEMORY' }]
]

for (const [kind, problem, cause] of lost) {
  t.test(`${kind} costs a task its thread, and another takes its place`, async (t) => {
    const log = createLog('info')
    const app = await createThreadApp(t, { threads: { resourceLimits: { maxOldGenerationSizeMb: 32 } } }, { logger: log.logger })
    const tasks = [app.backgroundTasks.add(failing, { kind }), app.backgroundTasks.add(fileTask('double.js'), { n: 1 })]
    await app.backgroundTasks.idle()
    t.match(tasks, [
      { state: 'failed', error: { code: 'FST_BGT_THREAD', message: `the thread of task "failures.js" has ended: ${problem}`, cause } },
      { state: 'completed', result: 2 }
    ])
    t.match(log.taskLines(), [{ level: 'error', msg: 'background task failed', task: 'failures.js' }])
  })
}

const unusable: Array<[file: string, problem: string | RegExp, cause: unknown]> = [
  ['nowhere.js', /does not work as a task: Cannot find module '.*nowhere\.js'/, { code: 'ERR_MODULE_NOT_FOUND' }],
  ['fails-on-import.js', /does not work as a task: no configuration$/, { message: 'no configuration', code: 'E_CONFIG' }],
  ['fails-unreadably.js', /does not work as a task: no configuration$/, { message: 'no configuration' }],
  ['fails-on-import.cjs', /does not work as a task: null$/, null],
  ['no-function.js', /does not work as a task: its default export must be a function, received \{ n: 1 \}$/, { name: 'TypeError' }],
  ['no-default.js', /does not work as a task: its default export must be a function, received undefined$/, { name: 'TypeError' }],
  ['empty.cjs', /does not work as a task: its default export must be a function, received \{ n: undefined \}$/, { name: 'TypeError' }],
  ['text.txt', /does not work as a task: Unknown file extension "\.txt"/, { code: 'ERR_UNKNOWN_FILE_EXTENSION' }]
]

for (const [file, message, cause] of unusable) {
  t.test(`a task whose file is ${file} fails and says why`, async (t) => {
    const app = await createThreadApp(t)
    const tasks = [app.backgroundTasks.add(fileTask(file), {}), app.backgroundTasks.add(fileTask('double.js'), { n: 1 })]
    await app.backgroundTasks.idle()
    t.match(tasks, [{ state: 'failed', error: { code: 'FST_BGT_THREAD', message, cause } }, { state: 'completed', result: 2 }])
    t.match((tasks[0]!.error as Error).message, fixture(file).href)
  })
}

for (const [kind, received] of [['cloned', '{ undo: [Function: undo] }'], ['shown', 'an object']] as const) {
  t.test(`a result that cannot be ${kind} fails its task and says why`, async (t) => {
    const app = await createThreadApp(t)
    const task = app.backgroundTasks.add(failing, { kind: `result that cannot be ${kind}` })
    await app.backgroundTasks.idle()
    t.match(task.error, {
      code: 'FST_BGT_THREAD', message: `${fixture('failures.js').href} does not work as a task: its result cannot be copied, received ${received}`
    })
  })
}

t.test('a failed file is retried, or not, as for any error', async (t) => {
  const app = await createThreadApp(t)
  const codes: unknown[] = []
  const retryIf = (error: unknown): boolean => {
    codes.push((error as { code?: unknown }).code)
    return true
  }
  const task = app.backgroundTasks.add(failing, { kind: 'error' }, { retry: { retries: 2, delay: 0, retryIf } })
  await app.backgroundTasks.idle()
  t.equal(task.attempt, 3)
  t.same(codes, ['E_ORDER', 'E_ORDER'])
})

t.test('an attempt leaves no listener on the signal, which the next one has too', async (t) => {
  const app = await createThreadApp(t)
  const task = app.backgroundTasks.add(failing, { kind: 'error' }, { retry: { retries: 11, delay: 0 } })
  await app.backgroundTasks.idle()
  t.equal(task.attempt, 12)
  t.same(getEventListeners(task.signal, 'abort'), [])
})

t.test('threads that cannot start fail the tasks that would need them', async (t) => {
  const log = createLog('info')
  const app = await createThreadApp(t, { threads: { execArgv: ['--require', '/nowhere.cjs'] } }, { logger: log.logger })
  const tasks = Array.from({ length: 3 }, () => app.backgroundTasks.add(fileTask('double.js'), { n: 1 }))
  await app.backgroundTasks.idle()
  t.match(tasks, Array(3).fill({ state: 'failed', error: { code: 'FST_BGT_THREAD', cause: { code: 'MODULE_NOT_FOUND' } } }))
  t.match(log.lines.filter(({ msg }) => msg === 'background thread failed')[0], { level: 'error', err: { code: 'MODULE_NOT_FOUND' } })
})

t.test('what a file leaves behind may fail its thread later, which is logged and fails no task', async (t) => {
  const log = createLog('info')
  const slots = new Slots()
  // A thread that sleeps between two tasks would not notice.
  const app = await createThreadApp(t, { threads: { atomics: 'disabled', workerData: slots.workerData } }, { logger: log.logger })
  const task = app.backgroundTasks.add(fileTask('late.js'), {})
  await app.backgroundTasks.idle()
  slots.release()
  await turnUntil(() => log.lines.some(({ msg }) => msg === 'background thread failed'))
  t.equal(task.state, 'completed')
  const next = app.backgroundTasks.add(fileTask('double.js'), { n: 1 })
  await app.backgroundTasks.idle()
  t.equal(next.result, 2)
})

t.test('an option that only piscina can judge fails the first task, naming the option', async (t) => {
  const app = await createThreadApp(t, { threads: { taskQueue: {} } })
  const task = app.backgroundTasks.add(fileTask('double.js'), { n: 1 })
  await app.backgroundTasks.idle()
  t.match(task.error, {
    code: 'FST_BGT_INVALID_OPTIONS', message: 'option "threads" is refused by piscina: options.taskQueue must be a TaskQueue object'
  })
})

t.test('an option that is undefined counts as absent', async (t) => {
  const app = await createThreadApp(t, { threads: { minThreads: undefined, maxThreads: undefined } as unknown as ThreadOptions })
  const task = app.backgroundTasks.add(fileTask('double.js'), { n: 1 })
  await app.backgroundTasks.idle()
  t.equal(task.result, 2)
})
