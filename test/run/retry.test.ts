import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { type RetryOptions, type Task, type TaskOptions, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { type Log, createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const MAX_DELAY_MS = 2 ** 31 - 1

/** Adds a task that fails each time, and lets all its delays pass. Resolves to them. */
async function delaysOf (
  app: FastifyInstance, log: Log, tick: (ms: number) => void, retry: TaskOptions['retry']
): Promise<unknown[]> {
  const task = app.backgroundTasks.add({ ...(retry !== undefined && { retry }) }, () => { throw new Error('hopeless') })
  for (;;) {
    await turnUntil(() => task.state === 'delayed' || task.state === 'failed')
    if (task.state === 'failed') break
    const delay = log.taskLines().at(-1)?.delay
    if (typeof delay === 'number' && delay > 1) {
      tick(delay - 1)
      await nextTurn()
      t.equal(task.state, 'delayed', `not retried before ${delay} ms`)
    }
    tick(1)
    const { attempt } = task
    await turnUntil(() => task.attempt > attempt)
  }
  return log.taskLines().splice(0).filter(({ level }) => level === 'warn').map(({ delay }) => delay)
}

const fixed = { jitter: false }

const knobs: Array<[what: string, retry: TaskOptions['retry'], delays: number[]]> = [
  ['nothing', undefined, []],
  ['0', 0, []],
  ['an object with retries 0', { retries: 0 }, []],
  ['retries', { retries: 3, ...fixed }, [1000, 2000, 4000]],
  ['retries and the default maxDelay', { retries: 7, ...fixed }, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
  ['delay', { retries: 3, delay: 10, ...fixed }, [10, 20, 40]],
  ['delay 0', { retries: 2, delay: 0, ...fixed }, [0, 0]],
  ['factor', { retries: 3, delay: 10, factor: 3, ...fixed }, [10, 30, 90]],
  ['factor 1', { retries: 3, delay: 10, factor: 1, ...fixed }, [10, 10, 10]],
  ['maxDelay', { retries: 4, delay: 10, maxDelay: 25, ...fixed }, [10, 20, 25, 25]],
  ['the longest delay there is', { retries: 1, delay: MAX_DELAY_MS, maxDelay: MAX_DELAY_MS, ...fixed }, [MAX_DELAY_MS]]
]

for (const [what, retry, expected] of knobs) {
  t.test(`retry: ${what} gives the delays [${expected}]`, async (t) => {
    const log = createLog()
    const app = await createApp(t, {}, { logger: log.logger })
    t.same(await delaysOf(app, log, useFakeTimers(t), retry), expected)
    t.match(app.backgroundTasks.stats(), { failed: 1, retries: expected.length, delayed: 0, active: 0 })
  })
}

for (const retry of [3, { retries: 3 }, { retries: 3, jitter: true }]) {
  t.test(`retry: ${JSON.stringify(retry)} draws each delay between 0 and 1000, 2000, 4000`, async (t) => {
    const log = createLog()
    const app = await createApp(t, {}, { logger: log.logger })
    t.intercept(Math, 'random', { value: () => 0.25 })
    t.same(await delaysOf(app, log, useFakeTimers(t), retry), [250, 500, 1000])
  })
}

t.test('retries counts the attempts after the first one, and a success ends them', async (t) => {
  const app = await createApp(t)
  const attempts: number[] = []
  const run = (succeedsAt: number) => (task: Task): string => {
    attempts.push(task.attempt)
    if (task.attempt < succeedsAt) throw new Error(`attempt ${task.attempt}`)
    return `attempt ${task.attempt}`
  }
  const retry = { retries: 2, delay: 0 }
  const tasks = [1, 2, 3, 4].map((succeedsAt) => app.backgroundTasks.add({ retry }, run(succeedsAt)))
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ state, attempt }) => [state, attempt]),
    [['completed', 1], ['completed', 2], ['completed', 3], ['failed', 3]])
  t.same(tasks.map(({ result }) => result), ['attempt 1', 'attempt 2', 'attempt 3', undefined])
  t.match(tasks[3]?.error, { message: 'attempt 3' })
  t.equal(tasks[2]?.error, undefined)
  t.equal(attempts.length, 1 + 2 + 3 + 3)
  t.match(app.backgroundTasks.stats(), { completed: 3, failed: 1, retries: 5 })
})

t.test('every attempt gets the same arguments and the same task', async (t) => {
  const app = await createApp(t)
  const calls: unknown[][] = []
  const value = {}
  const added = app.backgroundTasks.add({ retry: { retries: 2, delay: 0 } }, (...args: [object, string, Task]) => {
    calls.push(args)
    throw new Error('again')
  }, value, 'x')
  await app.backgroundTasks.idle()
  t.equal(calls.length, 3)
  for (const args of calls) {
    t.equal(args.length, 3)
    t.equal(args[0], value)
    t.equal(args[1], 'x')
    t.equal(args[2], added)
  }
})

t.test('a function without the task parameter is retried too, by the plugin\'s options', async (t) => {
  const app = await createApp(t, { retry: { retries: 1, delay: 0 } })
  let calls = 0
  app.get('/', async (request) => {
    request.backgroundTasks.add((...args: string[]) => {
      calls++
      t.same(args, ['a'])
      throw new Error('again')
    }, 'a')
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(calls, 2)
})

t.test('between attempts a task is delayed, with the next attempt not yet counted', async (t) => {
  const app = await createApp(t)
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add({ retry: { retries: 1, delay: 10, jitter: false } }, () => { throw new Error('x') })
  await turnUntil(() => task.state === 'delayed')
  t.equal(task.attempt, 1)
  t.equal(task.error, undefined)
  t.match(task.toJSON(), { state: 'delayed', attempt: 1 })
  t.notOk('finishedAt' in task.toJSON())
  t.match(app.backgroundTasks.stats(), { delayed: 1, active: 0, retries: 1 })
  const { startedAt } = task.toJSON()
  tick(10)
  await app.backgroundTasks.idle()
  t.equal(task.attempt, 2)
  t.equal(task.toJSON().startedAt, startedAt)
})

t.test('retryIf is asked with the error and the task after each failure, while there are retries left', async (t) => {
  const app = await createApp(t)
  const asked: unknown[][] = []
  const task: Task = app.backgroundTasks.add({
    retry: {
      retries: 2,
      delay: 0,
      retryIf (...args) {
        asked.push([...args, args[1].attempt])
        return true
      }
    }
  }, (task) => { throw new Error(`attempt ${task.attempt}`) })
  await app.backgroundTasks.idle()
  t.match(asked, [[{ message: 'attempt 1' }, Object, 1], [{ message: 'attempt 2' }, Object, 2]])
  t.equal(asked.length, 2)
  t.equal(asked[0]?.[1], task)
  t.equal(task.attempt, 3)
})

for (const [answer, attempts] of [
  [true, 2], [false, 1], [undefined, 1], [null, 1], [0, 1], ['', 1], [1, 2], ['yes', 2], [{}, 2]
] as const) {
  t.test(`retryIf that answers ${JSON.stringify(answer)} leads to ${attempts} attempts`, async (t) => {
    const app = await createApp(t)
    const retryIf = (() => answer) as unknown as NonNullable<RetryOptions['retryIf']>
    const task = app.backgroundTasks.add({ retry: { retries: 1, delay: 0, retryIf } }, () => { throw new Error('x') })
    await app.backgroundTasks.idle()
    t.equal(task.attempt, attempts)
    t.match(task.error, { message: 'x' })
  })
}

t.test('a retryIf that refuses makes the error final', async (t) => {
  const log = createLog()
  const errors: unknown[] = []
  const app = await createApp(t, { onError: (error) => { errors.push(error) } }, { logger: log.logger })
  const error = new Error('permanent')
  const task = app.backgroundTasks.add({ retry: { retries: 5, retryIf: () => false } }, () => { throw error })
  await app.backgroundTasks.idle()
  t.equal(task.error, error)
  t.same(errors, [error])
  t.same(log.taskLines().map(({ level, attempt }) => [level, attempt]), [['error', 1]])
  t.equal(app.backgroundTasks.stats().retries, 0)
})

t.test('a retryIf that throws is logged and counts as no', async (t) => {
  const log = createLog()
  const app = await createApp(t, {}, { logger: log.logger })
  const retryIf = (): boolean => { throw new Error('retryIf') }
  const task = app.backgroundTasks.add({ name: 'picky', retry: { retries: 5, retryIf } }, () => { throw new Error('task') })
  const next = app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.match(task.error, { message: 'task' })
  t.equal(task.attempt, 1)
  t.equal(next.state, 'completed')
  t.match(log.taskLines().filter(({ level }) => level === 'error'), [
    { task: 'picky', err: { message: 'retryIf' } },
    { task: 'picky', msg: 'background task failed', err: { message: 'task' } }
  ])
})

t.test('a retryIf that returns a rejecting promise is no unhandled rejection', async (t) => {
  const app = await createApp(t)
  const retryIf = (async () => { throw new Error('retryIf') }) as unknown as NonNullable<RetryOptions['retryIf']>
  const task = app.backgroundTasks.add({ retry: { retries: 1, delay: 0, retryIf } }, () => { throw new Error('task') })
  await app.backgroundTasks.idle()
  await nextTurn()
  t.match(task.error, { message: 'task' })
})

for (const answer of [true, false]) {
  t.test(`a retryIf that cancels its task and answers ${answer} has cancelled it`, async (t) => {
    const log = createLog()
    const app = await createApp(t, { concurrency: 1 }, { logger: log.logger })
    const retryIf = (_error: unknown, task: Task): boolean => {
      t.equal(task.cancel('hopeless'), true)
      return answer
    }
    const task = app.backgroundTasks.add({ retry: { retries: 3, delay: 0, retryIf } }, () => { throw new Error('x') })
    const next = app.backgroundTasks.add(() => {})
    await app.backgroundTasks.idle()
    t.equal(task.state, 'cancelled')
    t.match(task.error, { code: 'FST_BGT_CANCELLED', cause: 'hopeless' })
    t.equal(next.state, 'completed')
    t.match(app.backgroundTasks.stats(), {
      waiting: 0, active: 0, delayed: 0, completed: 1, failed: 0, cancelled: 1, retries: 0
    })
    t.same(log.taskLines().filter(({ level }) => level === 'error' || level === 'warn'), [])
  })
}

t.test('retryIf may add tasks', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  const retryIf = (): boolean => {
    app.backgroundTasks.add(() => { ran.push('added') })
    return true
  }
  app.backgroundTasks.add({ retry: { retries: 1, delay: 0, retryIf } }, (task) => {
    ran.push(`attempt ${task.attempt}`)
    if (task.attempt === 1) throw new Error('x')
  })
  await app.backgroundTasks.idle()
  t.same(ran.sort(), ['added', 'attempt 1', 'attempt 2'])
})

t.test('a backoff that is over leaves no timer behind, nor does one cut short', async (t) => {
  const app = await createApp(t)
  const timeouts = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length
  await app.ready()
  const before = timeouts()
  const fails = (): void => { throw new Error('x') }
  app.backgroundTasks.add({ retry: { retries: 2, delay: 0 } }, fails)
  await app.backgroundTasks.idle()
  t.equal(timeouts(), before)
  const delayed = app.backgroundTasks.add({ retry: { retries: 1, delay: 60_000, jitter: false } }, fails)
  await turnUntil(() => delayed.state === 'delayed')
  t.equal(timeouts(), before + 1)
  delayed.cancel()
  t.equal(timeouts(), before)
  await app.backgroundTasks.idle()
})

t.test('a backoff is cut short when the app closes: the last error is final, and the task behind runs', async (t) => {
  const log = createLog()
  const errors: unknown[] = []
  const app = await createApp(t, {
    closeTimeout: 10_000, onError: (error) => { errors.push(error) }
  }, { logger: log.logger })
  const error = new Error('flaky')
  const tasks: Task[] = []
  app.get('/', async ({ backgroundTasks }) => {
    const retry = { retries: 5, delay: 60_000, jitter: false }
    tasks.push(
      backgroundTasks.add({ name: 'flaky', retry }, () => { throw error }),
      backgroundTasks.add({ name: 'behind', retry }, () => { throw error }),
      backgroundTasks.add({ name: 'last' }, () => {}))
    return 'ok'
  })
  await app.inject('/')
  await turnUntil(() => tasks[0]?.state === 'delayed')
  const { now } = performance
  t.intercept(performance, 'now', { value: () => now.call(performance) + 5000 })
  await app.close()
  t.same(tasks.map(({ state, attempt }) => [state, attempt]), [['failed', 1], ['failed', 1], ['completed', 1]])
  t.same(errors, [error, error])
  t.same(log.taskLines().map(({ level, task }) => [level, task]), [
    ['warn', 'flaky'], ['error', 'flaky'], ['error', 'behind'], ['debug', 'last']
  ])
  const { startedAt, finishedAt } = tasks[0]?.toJSON() ?? {}
  t.ok(Date.parse(finishedAt ?? '') - Date.parse(startedAt ?? '') >= 5000, 'it has ended with the close')
  t.match(app.backgroundTasks.stats(), { delayed: 0, waiting: 0, failed: 2, completed: 1, retries: 1 })
})

t.test('a task that the logger cancels, when it says that it will be retried, does not run again', async (t) => {
  const work = defineTask({ name: 'work', payload: {}, retry: { retries: 1, delay: 1 }, handler () { throw new Error('no luck') } })
  for (const tasks of [[], [work]]) {
    const stream = { write (line: string) { if (line.includes('will be retried')) task.cancel() } }
    const app = await createApp(t, { tasks }, { logger: { level: 'warn', stream } })
    await app.ready()
    const task: Task = app.backgroundTasks.add(work, {})
    await app.backgroundTasks.idle()
    await nextTurn()
    t.match(task, { state: 'cancelled', attempt: 1 })
    t.match(app.backgroundTasks.stats(), { cancelled: 1, delayed: 0, active: 0 })
  }
})
