import { channel, tracingChannel } from 'node:diagnostics_channel'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import type { AppTasks } from '../../lib/app/app-tasks.js'
import { recordingOf } from '../../lib/dashboard/recording.js'
import { useFakeTimers } from '../support/clock.js'
import { type Scene, type SceneOptions, createScene, send } from '../support/dashboard.js'
import { collectGarbage } from '../support/garbage.js'
import { createLatch } from '../support/latch.js'
import { named } from '../support/stored-app.js'
import { nextTurn, turnUntil } from '../support/turns.js'
import { until } from '../support/until.js'

const channels = [
  ...['add', 'response'].map((name) => channel(`fastify-background-tasks.${name}`)),
  ...Object.values(tracingChannel('fastify-background-tasks.run')).filter((value) => typeof value === 'object')
] as Array<{ hasSubscribers: boolean }>

interface Recorded extends Scene {
  /** Whether anything of the dashboard observes the app. */
  isObserved: () => boolean
  /** The timers of the dashboard. */
  intervals: Set<unknown>
}

async function createRecorded (t: Test, options?: SceneOptions): Promise<Recorded> {
  const { setInterval: start, clearInterval: end } = globalThis
  const intervals = new Set<unknown>()
  t.intercept(globalThis, 'setInterval', {
    value (...args: Parameters<typeof setInterval>) {
      const timer = start(...args)
      intervals.add(timer)
      return timer
    }
  })
  t.intercept(globalThis, 'clearInterval', {
    value (timer: NodeJS.Timeout) {
      intervals.delete(timer)
      end(timer)
    }
  })
  const scene = await createScene(t, options)
  const { services } = scene.app.backgroundTasks as AppTasks
  return {
    ...scene,
    intervals,
    isObserved: () => services.census.observer !== undefined || recordingOf(services).current !== undefined || channels.some(({ hasSubscribers }) => hasSubscribers)
  }
}

t.test('until the first look nothing observes the app, and no timer runs', async (t) => {
  const { app, ask, isObserved, intervals, act } = await createRecorded(t, { dashboard: { actions: true } })
  await ask('')
  await ask('/live?view=none')
  await act('none', 'retry')
  app.backgroundTasks.add(() => {})
  await app.backgroundTasks.idle()
  t.notOk(isObserved())
  t.equal(intervals.size, 0)
})

t.test('what happens is recorded until ten minutes after the last look, and then forgotten', async (t) => {
  const { app, look, isObserved, intervals } = await createRecorded(t)
  const first = await look()
  const { since } = (await first.whole()).page!
  t.ok(isObserved())
  t.notOk(channels.some(({ hasSubscribers }) => hasSubscribers), 'by no channel')
  const tick = useFakeTimers(t)
  first.hangUp()
  await turnUntil(() => intervals.size === 2)
  tick(599_999)
  t.ok(isObserved())
  app.backgroundTasks.add(function unseen () {})
  await app.backgroundTasks.idle()
  const second = await look()
  tick(1000)
  t.ok(isObserved(), 'a new look goes on with the recording')
  const entries = await second.whole()
  t.equal(entries.page!.since, since)
  t.match(entries['name:unseen'], { counts: { completed: 1 } })
  second.hangUp()
  await turnUntil(() => intervals.size === 2)
  tick(599_999)
  t.ok(isObserved())
  tick(1)
  t.notOk(isObserved())
  t.equal(intervals.size, 0)
  const third = await look()
  const later = await third.whole()
  t.ok(later.page!.since >= since)
  t.notOk('name:unseen' in later, 'a new recording has begun')
})

t.test('the recording ends when the app closes', async (t) => {
  const { app, look, isObserved, intervals } = await createRecorded(t)
  const client = await look()
  await client.whole()
  await app.close()
  t.notOk(isObserved())
  await turnUntil(() => intervals.size === 0)
})

t.test('an update that is due when the recording ends is still sent', async (t) => {
  const { app, look } = await createRecorded(t)
  const client = await look()
  await client.whole()
  app.backgroundTasks.add(function mail () {})
  await app.backgroundTasks.idle()
  // As close does, or another dashboard of the app that closes first.
  recordingOf((app.backgroundTasks as AppTasks).services).end()
  t.match(await client.until((entries) => 'name:mail' in entries), { 'name:mail': { counts: { completed: 1 } } })
})

t.test('the timer of the recording does not outlive the app, and holds no process', async (t) => {
  const { app, look, isObserved } = await createRecorded(t)
  const client = await look()
  await client.whole()
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  client.hangUp()
  await client.end()
  const countConnections = promisify(app.server.getConnections.bind(app.server))
  await until(async () => await countConnections() === 0)
  t.ok(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length <= before)
  await app.close()
  t.notOk(isObserved())
})

t.test('the 200 latest requests are kept', async (t) => {
  const { app, look } = await createScene(t)
  app.get('/:n', async (req) => {
    req.backgroundTasks.add(function mail () {})
    return {}
  })
  const client = await look()
  await client.whole()
  for (let n = 0; n < 230; n++) await app.inject(`/${n}`)
  const numbersIn = (entries: object): number[] =>
    Object.keys(entries).filter((key) => key.startsWith('request:')).map((key) => Number(key.slice(8))).sort((a, b) => a - b)
  const entries = await client.until((entries) => entries['request:230']?.lanes[0]?.state === 'completed' && numbersIn(entries).length === 200)
  const numbers = numbersIn(entries)
  t.same(numbers, Array.from({ length: 200 }, (_, index) => index + 31))
  t.match(entries['name:mail'], { counts: { completed: 230 } })
})

t.test('a request that is kept no more is not shown with its tasks, nor does it come back', async (t) => {
  const gate = createLatch()
  const { app, look } = await createScene(t)
  app.get('/open', async ({ backgroundTasks }) => {
    const { id } = backgroundTasks.add({ name: 'first' }, () => {})
    await gate.promise
    return [id, backgroundTasks.add({ name: 'late' }, () => {}).id]
  })
  app.get('/', async ({ backgroundTasks }) => {
    return [backgroundTasks.add(function mail () {}).id]
  })
  const client = await look()
  await client.whole()
  const open = app.inject('/open')
  await client.until((entries) => 'name:first' in entries)
  const ids = (await app.inject('/')).json() as string[]
  await client.until((entries) => entries['name:mail']?.counts.completed === 1)
  for (let n = 0; n < 200; n++) await app.inject('/')
  gate.resolve()
  ids.push(...(await open).json() as string[])
  const entries = await client.until((entries) => entries['name:late']?.counts.completed === 1 && entries['name:mail']?.counts.completed === 201)
  t.notOk('request:1' in entries || 'request:2' in entries || 'request:203' in entries)
  for (const id of ids) {
    const { task } = await (await look(`task/${id}`)).whole()
    t.match(task, { state: 'completed' })
    t.notOk('request' in task!)
  }
})

t.test('a new recording has the request that an earlier one has seen', async (t) => {
  const gate = createLatch()
  const { app, look, isObserved, intervals } = await createRecorded(t)
  app.get('/', async ({ backgroundTasks }) => {
    backgroundTasks.add(function first () {})
    await gate.promise
    backgroundTasks.add(function late () {})
    return {}
  })
  const before = await look()
  await before.whole()
  const open = app.inject('/')
  await before.until((entries) => 'request:1' in entries)
  const tick = useFakeTimers(t)
  before.hangUp()
  await turnUntil(() => intervals.size === 2)
  tick(600_000)
  t.notOk(isObserved())
  const client = await look()
  await client.whole()
  gate.resolve()
  await open
  tick(1000)
  const { 'request:1': request } = await client.until((entries) => entries['request:1']?.lanes.length === 2)
  t.same(request!.lanes.map(({ name }) => name), ['first', 'late'])
})

t.test('the 1000 latest tasks are kept, and names count the others too', async (t) => {
  const { app, look } = await createScene(t)
  app.get('/:n', async (req) => {
    const { n } = req.params as { n: number }
    for (let left = Number(n); left > 0; left--) req.backgroundTasks.add({ name: 'many' }, () => {})
    return {}
  })
  const client = await look()
  await client.whole()
  for (const n of [300, 300, 1200]) await app.inject(`/${n}`)
  const entries = await client.until((entries) => entries['name:many']?.counts.completed === 1800)
  t.equal(entries['request:3']!.lanes.length, 1000)
  t.match([entries['request:1'], entries['request:2']], [{ lanes: [] }, { lanes: [] }])
  t.match(entries['name:many'], { counts: { waiting: 0, active: 0 } })
})

t.test('a task that is kept no more ends without a trace', async (t) => {
  const { app, look } = await createScene(t)
  app.get('/', async (req) => {
    for (let n = 0; n < 1001; n++) req.backgroundTasks.add({ name: 'many', when: 'error' }, () => {})
    await nextTurn()
    return {}
  })
  const client = await look()
  await client.whole()
  await app.inject('/')
  const entries = await client.until((entries) => entries['name:many']?.counts.skipped === 1001)
  t.ok(entries['request:1']!.lanes.every(({ state }) => state === 'skipped'))
})

t.test('200 names are kept: first those with unfinished tasks', async (t) => {
  const { app, look } = await createScene(t)
  app.backgroundTasks.add({ name: 'held' }, (task) => new Promise((resolve) => { task.signal.onabort = resolve }))
  const client = await look()
  await client.whole()
  for (let n = 0; n < 205; n++) {
    app.backgroundTasks.add({ name: `name-${n}` }, () => {})
    await new Promise(setImmediate)
  }
  const entries = await client.until((entries) => entries['name:name-204']?.counts.completed === 1)
  const names = Object.keys(entries).filter((key) => key.startsWith('name:'))
  t.equal(names.length, 200)
  t.ok('name:held' in entries && !('name:name-0' in entries) && 'name:name-6' in entries)
})

t.test('names are let go of even where all of them have unfinished tasks', async (t) => {
  const { app, look } = await createScene(t)
  for (let n = 0; n < 205; n++) app.backgroundTasks.add({ name: `name-${n}` }, (task) => new Promise((resolve) => { task.signal.onabort = resolve }))
  const client = await look()
  await client.whole()
  const entries = await client.until((entries) => entries['name:name-204']?.counts.active === 1)
  t.equal(Object.keys(entries).filter((key) => key.startsWith('name:')).length, 200)
  await app.close()
})

t.test('the recorder reads no id: the history stays empty', async (t) => {
  const { app, look, log } = await createScene(t, { server: { logger: false } })
  app.get('/', async (req) => {
    for (let n = 0; n < 10; n++) req.backgroundTasks.add(function mail () {})
    req.backgroundTasks.waitUntil(Promise.resolve())
    return {}
  })
  const [client, request] = [await look(), await look('request/1')]
  await client.whole()
  await app.inject('/')
  await client.until((entries) => entries['name:mail']?.counts.completed === 10)
  const { request: shown } = await request.until(({ request }) => request?.lanes.every(({ state }) => state === 'completed'))
  t.equal(shown!.lanes.length, 11)
  t.ok(shown!.lanes.every((lane) => !('id' in lane)))
  t.same((app.backgroundTasks as AppTasks).services.history.finished(), [])
  t.same(log.taskLines(), [])
})

t.test('a lane has the id of a task whose id was read by its end', async (t) => {
  const { app, look } = await createScene(t)
  const ids: string[] = []
  app.get('/', async (req) => {
    ids.push(req.backgroundTasks.add(function mail () {}).id)
    return {}
  })
  const client = await look()
  await client.whole()
  await app.inject('/')
  const { 'request:1': request } = await client.until((entries) => entries['request:1']?.lanes[0]?.state === 'completed')
  t.equal(request!.lanes[0]!.id, ids[0])
})

t.test('the recording keeps neither requests nor results nor payloads alive', async (t) => {
  const kept: Array<WeakRef<object>> = []
  const keep = <Value extends object>(value: Value): Value => {
    kept.push(new WeakRef(value))
    return value
  }
  const work = named((payload) => { keep(payload as object) })
  const { app, look } = await createScene(t, { tasks: { tasks: [work], history: 0 } })
  app.get('/', async (req, reply) => {
    keep(req)
    keep(reply)
    keep(req.raw.socket)
    req.backgroundTasks.add({ name: 'mail' }, () => keep({ large: 'result' }))
    req.backgroundTasks.add({ name: 'mail' }, () => { throw keep(new Error('no luck')) })
    req.backgroundTasks.add(work, { n: 1 })
    return {}
  })
  const client = await look()
  await client.whole()
  await send(app, '/')
  await client.until((entries) => entries['request:1']?.lanes.every(({ state }) => state === 'completed' || state === 'failed'))
  t.equal(kept.length, 6)
  await turnUntil(() => {
    collectGarbage()
    return kept.every((ref) => ref.deref() === undefined)
  })
  t.match(client.entries['request:1'], { lanes: [{ state: 'completed' }, { state: 'failed' }, { state: 'completed' }] })
})
