import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { SharedTimeout } from '../../lib/stored/shared-timeout.js'
import { createApp } from '../support/app.js'
import { named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

/** Puts functions that never call back in the place of the real ones, and back. */
function loseCallbacks (t: Test, ...names: Array<'setImmediate' | 'setTimeout' | 'queueMicrotask'>): () => void {
  const real = names.map((name) => [name, globalThis[name]] as const)
  for (const name of names) globalThis[name] = (() => ({ ref () {}, unref () {} })) as never
  const restore = (): void => { for (const [name, fn] of real) globalThis[name] = fn as never }
  t.teardown(restore)
  return restore
}

t.test('an app works on after fake timers have been thrown away with what they held', async (t) => {
  const ran: unknown[] = []
  const work = named((payload) => { ran.push(payload) })
  const app = await createApp(t, { tasks: [work] })
  app.get('/', async ({ backgroundTasks }) => {
    backgroundTasks.add(() => { ran.push('request') })
    return 'ok'
  })
  await app.ready()
  const restore = loseCallbacks(t, 'setImmediate', 'queueMicrotask')
  app.backgroundTasks.add(() => { ran.push('app') })
  app.backgroundTasks.add(work, 'stored')
  restore()
  await nextTurn()
  await app.inject('/')
  app.backgroundTasks.add(() => { ran.push('later') })
  await app.backgroundTasks.idle()
  t.same(ran.sort(), ['app', 'later', 'request', 'stored'])
})

t.test('while all timers are fake, tasks run, idle resolves and the app closes', async (t) => {
  const ran: unknown[] = []
  const work = named((payload) => { ran.push(payload) })
  const app = await createApp(t, { tasks: [work] })
  app.get('/', async ({ backgroundTasks }) => {
    backgroundTasks.add(() => { ran.push('request') })
    backgroundTasks.add(work, 'stored')
    return 'ok'
  })
  await app.ready()
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate', 'Date'] })
  t.teardown(() => { mock.timers.reset() })
  await app.inject('/')
  app.backgroundTasks.add(() => { ran.push('app') })
  await app.backgroundTasks.idle()
  t.same(ran.sort(), ['app', 'request', 'stored'])
  await app.close()
})

t.test('retries and timeouts keep to the fake setTimeout of a test', async (t) => {
  const app = await createApp(t)
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  const task = app.backgroundTasks.add({ timeout: 60_000, retry: { retries: 1, delay: 60_000, jitter: false } }, () => new Promise(() => {}))
  await turnUntil(() => task.state === 'active')
  mock.timers.tick(60_000)
  t.match(task, { state: 'delayed', attempt: 1 })
  mock.timers.tick(60_000)
  await turnUntil(() => task.state === 'active')
  mock.timers.tick(60_000)
  t.match(task, { state: 'failed', attempt: 2, error: { code: 'FST_BGT_TIMEOUT' } })
})

t.test('a deadline whose timer was thrown away goes on with the next promise', async (t) => {
  let now = performance.now()
  t.intercept(performance, 'now', { value: () => now })
  const deadline = new SharedTimeout(5)
  const restore = loseCallbacks(t, 'setTimeout')
  const lost = t.rejects(deadline.within(() => new Promise(() => {})), { message: 'no answer within 5 ms' })
  restore()
  now += 11
  const next = t.rejects(deadline.within(() => new Promise(() => {})), { message: 'no answer within 5 ms' })
  now += 5
  await Promise.all([lost, next])
})
