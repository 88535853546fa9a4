import t from 'tap'
import type { FastifyBaseLogger } from 'fastify'
import type { BackgroundTasksOptions, Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { type Level, type Line, createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const retry = { retries: 1, delay: 0, jitter: false }

function withoutStack ({ err, ...line }: Line): object {
  if (typeof err !== 'object' || err === null) return { ...line, ...(err !== undefined && { err }) }
  const { stack, ...rest } = err as { stack?: string }
  return { ...line, err: rest }
}

t.test('each end of a task is one line, through the logger of its request', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const tasks: Task[] = []
  const error = Object.assign(new RangeError('out of stock'), { code: 'OUT' })
  app.get('/', async (request) => {
    const { backgroundTasks } = request
    tasks.push(
      backgroundTasks.add({ name: 'fails' }, () => { throw error }),
      backgroundTasks.add({ name: 'completes' }, () => 'result'),
      backgroundTasks.add({ name: 'retried', retry }, (task) => { if (task.attempt === 1) throw error }),
      backgroundTasks.add({ name: 'skipped', when: 'error' }, () => {}),
      backgroundTasks.add({ name: 'cancels itself' }, (task) => { task.cancel('enough') }),
      backgroundTasks.add({ name: 'cancelled before' }, () => {}))
    tasks[5]?.cancel()
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  const err = { type: 'RangeError', message: 'out of stock', code: 'OUT' }
  const fields = (index: number, attempt = 1): object =>
    ({ reqId: 'req-1', task: tasks[index]?.name, taskId: tasks[index]?.id, attempt })
  t.strictSame(log.taskLines().map(withoutStack), [
    { level: 'error', ...fields(0), err, msg: 'background task failed' },
    { level: 'debug', ...fields(1), msg: 'background task completed' },
    { level: 'warn', ...fields(2), err, delay: 0, msg: 'background task failed, will be retried' },
    { level: 'debug', ...fields(2, 2), msg: 'background task completed' },
    { level: 'debug', ...fields(3), msg: 'background task skipped' },
    { level: 'info', ...fields(4), reason: 'enough', msg: 'background task cancelled' }
  ])
  t.match(log.taskLines()[0]?.err, { stack: /^RangeError: out of stock\n/ })
})

t.test('lines of tasks of the app have no reqId', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const task = app.backgroundTasks.add({ name: 'sweep' }, () => { throw new Error('fails') })
  await app.backgroundTasks.idle()
  t.strictSame(log.taskLines().map(withoutStack), [{
    level: 'error',
    task: 'sweep',
    taskId: task.id,
    attempt: 1,
    err: { type: 'Error', message: 'fails' },
    msg: 'background task failed'
  }])
})

t.test('retries are warnings, and only the last failure is an error', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  app.backgroundTasks.add({ retry: { retries: 2, delay: 0 } }, (task) => { throw new Error(`attempt ${task.attempt}`) })
  await app.backgroundTasks.idle()
  t.match(log.taskLines(), [
    { level: 'warn', attempt: 1, err: { message: 'attempt 1' } },
    { level: 'warn', attempt: 2, err: { message: 'attempt 2' } },
    { level: 'error', attempt: 3, err: { message: 'attempt 3' } }
  ])
  t.equal(log.taskLines().length, 3)
})

t.test('at level info completions are not logged', async (t) => {
  const log = createLog('info')
  const app = await createApp(t, {}, { logger: log.logger })
  app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.same(log.taskLines(), [])
})

t.test('the log level of a route counts for its tasks', async (t) => {
  const log = createLog('info')
  const app = await createApp(t, {}, { logger: log.logger })
  app.get('/quiet', { logLevel: 'fatal' }, async (request) => {
    request.backgroundTasks.add(() => { throw new Error('fails') })
    return 'ok'
  })
  app.get('/verbose', { logLevel: 'debug' }, async (request) => {
    request.backgroundTasks.add(() => {})
    return 'ok'
  })
  await app.inject('/quiet')
  await app.inject('/verbose')
  await app.backgroundTasks.idle()
  t.match(log.taskLines(), [{ level: 'debug', msg: 'background task completed', reqId: 'req-2' }])
  t.equal(log.taskLines().length, 1)
})

t.test('whatever was thrown can be told from the line', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const unlucky = Object.defineProperty(new Error('unlucky'), 'field', {
    enumerable: true, get () { throw new Error('field getter') }
  })
  for (const thrown of ['a string', 42, null, undefined, Symbol('thrown'), unlucky]) {
    app.backgroundTasks.add(() => { throw thrown })
  }
  await app.backgroundTasks.idle()
  t.same(log.taskLines().map(({ err }) => typeof err === 'object' ? 'object' : err),
    ['a string', 42, 'object', 'undefined', 'Symbol(thrown)', 'object'])
  t.equal(log.taskLines().length, 6)
})

t.test('onError is called with the error and the task, once per final failure, after the line', async (t) => {
  const log = createLog()
  const calls: unknown[][] = []
  const onError: BackgroundTasksOptions['onError'] = (...args) => {
    calls.push([...args, args[1].state, args[1].attempt, log.taskLines().at(-1)?.level])
  }
  const app = await createApp(t, { onError }, { logger: log.logger })
  const error = new Error('fails')
  const failing = app.backgroundTasks.add({ retry }, () => { throw error })
  app.backgroundTasks.add(() => {})
  app.backgroundTasks.add(() => {}).cancel()
  await app.backgroundTasks.idle()
  t.equal(calls.length, 1)
  t.equal(calls[0]?.[0], error)
  t.equal(calls[0]?.[1], failing)
  t.same(calls[0]?.slice(2), ['failed', 2, 'error'])
})

for (const [what, onError] of [
  ['throws', () => { throw new Error('onError') }],
  ['rejects', async () => { throw new Error('onError') }],
  ['rejects later', async () => {
    await nextTurn()
    throw new Error('onError')
  }]
] as const) {
  t.test(`an onError that ${what} is logged and stops nothing`, async (t) => {
    const log = createLog()
    const app = await createApp(t, { onError }, { logger: log.logger })
    let task!: Task
    let ran = false
    app.get('/', async (request) => {
      task = request.backgroundTasks.add({ name: 'fails' }, () => { throw new Error('task') })
      request.backgroundTasks.add(() => { ran = true })
      return 'ok'
    })
    await app.inject('/')
    await app.backgroundTasks.idle()
    await turnUntil(() => log.taskLines().filter(({ level }) => level === 'error').length === 2)
    t.equal(ran, true)
    t.match(task.error, { message: 'task' })
    t.strictSame(log.taskLines().filter(({ level }) => level === 'error').map(withoutStack), [
      { level: 'error', reqId: 'req-1', task: 'fails', taskId: task.id, attempt: 1, err: { type: 'Error', message: 'task' }, msg: 'background task failed' },
      { level: 'error', reqId: 'req-1', task: 'fails', taskId: task.id, attempt: 1, err: { type: 'Error', message: 'onError' }, msg: 'background task onError failed' }
    ])
  })
}

t.test('an onError that returns a thenable which throws is logged', async (t) => {
  const log = createLog()
  const onError = (() => ({ then () { throw new Error('thenable') } })) as unknown as NonNullable<BackgroundTasksOptions['onError']>
  const app = await createApp(t, { onError }, { logger: log.logger })
  app.backgroundTasks.add(() => { throw new Error('task') })
  await app.backgroundTasks.idle()
  await nextTurn()
  t.match(log.taskLines(), [{ err: { message: 'task' } }, { err: { message: 'thenable' } }])
})

t.test('a task that onError adds is waited for', async (t) => {
  let ran = false
  const app = await createApp(t, {
    onError: () => {
      app.backgroundTasks.add(async () => {
        await nextTurn()
        ran = true
      })
    }
  })
  app.backgroundTasks.add(() => { throw new Error('task') })
  await app.backgroundTasks.idle()
  t.equal(ran, true)
})

t.test('without a logger tasks run and fail all the same', async (t) => {
  const errors: unknown[] = []
  const app = await createApp(t, { onError: (error) => { errors.push(error) } }, { logger: false })
  const failed = app.backgroundTasks.add({ retry }, (task) => {
    task.log.info('nobody listens')
    throw new Error('fails')
  })
  const completed = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.equal(failed.state, 'failed')
  t.equal(failed.attempt, 2)
  t.equal(completed.state, 'completed')
  t.match(errors, [{ message: 'fails' }])
})

/** A logger that is not pino. */
function createCustomLogger (write: (level: string, args: unknown[]) => void): FastifyBaseLogger {
  const logger: Record<string, unknown> = { level: 'info' }
  for (const level of ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']) {
    logger[level] = (...args: unknown[]) => { write(level, args) }
  }
  logger.child = () => logger
  return logger as unknown as FastifyBaseLogger
}

t.test('a logger without isLevelEnabled is asked to write every line', async (t) => {
  const lines: Array<[level: string, args: unknown[]]> = []
  const loggerInstance = createCustomLogger((level, args) => { lines.push([level, args]) })
  const app = await createApp(t, {}, { loggerInstance })
  await app.ready()
  lines.length = 0
  const completed = app.backgroundTasks.add({ name: 'completes' }, () => {})
  const error = new Error('fails')
  const failed = app.backgroundTasks.add({ name: 'fails' }, () => { throw error })
  await app.backgroundTasks.idle()
  t.strictSame(lines, [
    ['debug', [{ task: 'completes', taskId: completed.id, attempt: 1 }, 'background task completed']],
    ['error', [{ err: error, task: 'fails', taskId: failed.id, attempt: 1 }, 'background task failed']]
  ])
  t.equal((lines[1]?.[1][0] as { err: Error }).err, error)
})

t.test('a logger that is asked for its level writes only what is enabled', async (t) => {
  const levels: string[] = []
  const loggerInstance = Object.assign(createCustomLogger((level) => { levels.push(level) }), {
    isLevelEnabled: (level: Level) => level !== 'debug'
  })
  const app = await createApp(t, {}, { loggerInstance })
  await app.ready()
  levels.length = 0
  app.backgroundTasks.add(() => {})
  app.backgroundTasks.add(() => { throw new Error('fails') })
  await app.backgroundTasks.idle()
  t.same(levels, ['error'])
})

for (const broken of ['write', 'isLevelEnabled', 'child'] as const) {
  t.test(`a logger whose ${broken} throws stops no task`, async (t) => {
    let isBroken = false
    const fail = (what: string): void => { if (isBroken && what === broken) throw new Error(`logger ${what}`) }
    const loggerInstance = createCustomLogger(() => { fail('write') })
    Object.assign(loggerInstance, {
      isLevelEnabled () {
        fail('isLevelEnabled')
        return true
      },
      child () {
        fail('child')
        return loggerInstance
      }
    })
    const errors: unknown[] = []
    const app = await createApp(t, { onError: (error) => { errors.push(error) } }, { loggerInstance })
    const tasks: Task[] = []
    app.get('/', async (request) => {
      const { backgroundTasks } = request
      tasks.push(
        backgroundTasks.add(() => {}),
        backgroundTasks.add({ retry }, () => { throw new Error('fails') }),
        backgroundTasks.add({ when: 'error' }, () => {}),
        backgroundTasks.add({}, (task) => task.cancel()),
        backgroundTasks.waitUntil(Promise.reject(new Error('waited for'))),
        backgroundTasks.add(() => 'last'))
      isBroken = broken !== 'child'
      return 'ok'
    })
    app.addHook('onResponse', async () => { isBroken = false })
    await app.inject('/')
    isBroken = true
    await app.backgroundTasks.idle({ timeout: 2000 })
    await nextTurn()
    isBroken = false
    t.same(tasks.map(({ state }) => state), ['completed', 'failed', 'skipped', 'cancelled', 'failed', 'completed'])
    t.equal(errors.length, 2)
  })
}

t.test('a completion that is logged can be looked up by the taskId of its line', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  app.backgroundTasks.add({ name: 'completes' }, () => {})
  await app.backgroundTasks.idle()
  const id = log.taskLines()[0]?.taskId as string
  t.match(await app.backgroundTasks.get(id), { id, name: 'completes', state: 'completed' })
})
