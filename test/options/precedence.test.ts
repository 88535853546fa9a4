import t from 'tap'
import type { RouteTaskOptions, Task, TaskOptions } from '../../index.js'
import { createApp } from '../support/app.js'
import { useFakeTimers } from '../support/clock.js'
import { createLog } from '../support/log.js'
import { nextTurn, turnUntil } from '../support/turns.js'

/** How the nearest of the three is observed: by the effect that it has. */
interface Case {
  option: 'when' | 'timeout' | 'retry'
  plugin: RouteTaskOptions
  route: RouteTaskOptions
  call: TaskOptions
  effects: { none: string, plugin: string, route: string, call: string }
}

const cases: Case[] = [
  {
    option: 'when',
    plugin: { when: 'error' },
    route: { when: 'success' },
    call: { when: 'error' },
    effects: { none: 'failed', plugin: 'skipped', route: 'failed', call: 'skipped' }
  },
  {
    option: 'timeout',
    plugin: { timeout: 1000 },
    route: { timeout: 2000 },
    call: { timeout: 3000 },
    effects: {
      none: 'active',
      plugin: 'task "work" timed out after 1000 ms',
      route: 'task "work" timed out after 2000 ms',
      call: 'task "work" timed out after 3000 ms'
    }
  },
  {
    option: 'retry',
    plugin: { retry: 1 },
    route: { retry: { retries: 2, delay: 5, jitter: false } },
    call: { retry: 0 },
    effects: { none: '1 []', plugin: '2 [500]', route: '3 [5,10]', call: '1 []' }
  }
]

const layers = ['none', 'plugin', 'route', 'call'] as const

for (const { option, effects, ...given } of cases) {
  for (const layer of layers) {
    for (const form of ['absent', 'undefined'] as const) {
      t.test(`${option}: the nearest of those given up to ${layer} wins, the others being ${form}`, async (t) => {
        const depth = layers.indexOf(layer)
        const at = (index: number, options: object): object =>
          depth >= index ? options : form === 'undefined' ? { [option]: undefined } : {}
        t.intercept(Math, 'random', { value: () => 0.5 })
        const log = createLog()
        const app = await createApp(t, at(1, given.plugin), { logger: log.logger })
        const tick = useFakeTimers(t)
        let task!: Task
        app.get('/', { config: { backgroundTasks: at(2, given.route) } }, async (request) => {
          task = request.backgroundTasks.add({ name: 'work', ...at(3, given.call) }, (): unknown => {
            if (option === 'timeout') return new Promise(() => {})
            throw new Error('work')
          })
          return 'ok'
        })
        await app.inject('/')
        await turnUntil(() => task.state !== 'waiting')
        if (option === 'timeout') {
          tick(100_000)
          t.equal(task.state === 'failed' ? (task.error as Error).message : task.state, effects[layer])
          task.cancel()
          return
        }
        while (task.state === 'delayed' || task.state === 'active') {
          tick(100_000)
          await nextTurn()
        }
        if (option === 'when') t.equal(task.state, effects[layer])
        else {
          const delays = log.taskLines().filter(({ level }) => level === 'warn').map(({ delay }) => delay)
          t.equal(`${task.attempt} ${JSON.stringify(delays)}`, effects[layer])
        }
      })
    }
  }
}

t.test('options given at different layers come together', async (t) => {
  const app = await createApp(t, { timeout: 1000, retry: 5 })
  const tick = useFakeTimers(t)
  let task!: Task
  app.get('/', { config: { backgroundTasks: { when: 'error', retry: 0 } } }, async (request, reply) => {
    task = request.backgroundTasks.add({ name: 'work' }, () => new Promise(() => {}))
    return reply.code(400).send()
  })
  await app.inject('/')
  await turnUntil(() => task.state === 'active')
  tick(1000)
  t.equal(task.state, 'failed')
  t.match(task.error, { code: 'FST_BGT_TIMEOUT' })
})

t.test('a retry object replaces the one further out as a whole', async (t) => {
  const log = createLog()
  const app = await createApp(t, { retry: { retries: 9, delay: 5, jitter: false } }, { logger: log.logger })
  const tick = useFakeTimers(t)
  const task = app.backgroundTasks.add({ retry: { retries: 1, jitter: false } }, () => { throw new Error('work') })
  await turnUntil(() => task.state === 'delayed')
  t.match(log.taskLines(), [{ level: 'warn', delay: 1000 }])
  tick(1000)
  await app.backgroundTasks.idle()
  t.equal(task.attempt, 2)
})

t.test('the function form takes the options of the route', async (t) => {
  const app = await createApp(t)
  let task!: Task
  app.get('/', { config: { backgroundTasks: { when: 'error' } } }, async (request) => {
    task = request.backgroundTasks.add(() => {})
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(task.state, 'skipped')
})

t.test('the options of a route do not reach other routes, nor tasks of the app', async (t) => {
  const app = await createApp(t)
  const tasks: Task[] = []
  app.get('/own', { config: { backgroundTasks: { when: 'error' } } }, async (request) => {
    tasks.push(request.backgroundTasks.add(() => {}), app.backgroundTasks.add(() => {}))
    return 'ok'
  })
  app.get('/other', async (request) => {
    tasks.push(request.backgroundTasks.add(() => {}))
    return 'ok'
  })
  await app.inject('/own')
  await app.inject('/other')
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ state }) => state), ['skipped', 'completed', 'completed'])
})

t.test('a route in a child context has its options too, and an unknown route those of the plugin', async (t) => {
  const app = await createApp(t, { when: 'success' })
  const tasks: Task[] = []
  app.addHook('onRequest', async (request) => { tasks.push(request.backgroundTasks.add(() => {})) })
  await app.register(async (child) => {
    child.get('/', { config: { backgroundTasks: { when: 'error' } } }, async () => 'ok')
  }, { prefix: '/child' })
  await app.inject('/child')
  await app.inject('/unknown')
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ state }) => state), ['skipped', 'skipped'])
})
