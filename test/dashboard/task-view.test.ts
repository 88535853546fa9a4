import { Type } from '@sinclair/typebox'
import t from 'tap'
import { defineTask } from '../../index.js'
import type { DashboardOptions } from '../../lib/dashboard.js'
import { createScene } from '../support/dashboard.js'
import { createDistantEngine, createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { named } from '../support/stored-app.js'

const payload = Type.Object({ to: Type.String(), secret: Type.String() })

t.test('a task is shown with times, attempts, progress, result, key, request and lane, as it goes on', async (t) => {
  const [latch, half] = [createLatch(), createLatch()]
  const send = defineTask({
    name: 'send',
    payload,
    result: Type.Object({ bytes: Type.Integer() }),
    retry: { retries: 1, delay: 1, jitter: false },
    async handler (payload, task) {
      if (task.attempt === 1) throw new Error('no luck')
      task.progress(0.25)
      await half.promise
      task.progress(0.5)
      await latch.promise
      return { bytes: 7 }
    }
  })
  const { app, look } = await createScene(t, { tasks: { tasks: [send] }, dashboard: { actions: true } })
  app.post('/mails/:to', async (req) => ({ id: req.backgroundTasks.add(send, { to: 'ann', secret: 's' }, { key: 'ann' }).id }))
  const overview = await look()
  await overview.whole()
  const { id } = (await app.inject({ method: 'POST', url: '/mails/7' })).json()
  const client = await look(`task/${id}`)
  const { task: running } = await client.until(({ task }) => task?.progress === 0.25)
  t.match(running, {
    id,
    name: 'send',
    state: 'active',
    attempt: 2,
    where: 'process',
    key: 'ann',
    reqId: /^req-/,
    createdAt: String,
    startedAt: String,
    canCancel: true,
    canRetry: false,
    request: { number: 1, method: 'POST', route: '/mails/:to' },
    lane: { name: 'send', kind: 'registered', added: 0, attempts: [{ attempt: 1, outcome: 'failed' }, { attempt: 2 }] }
  })
  t.notOk('payload' in running!)
  half.resolve()
  await client.until(({ task }) => task?.progress === 0.5)
  latch.resolve()
  const { task: ended } = await client.until(({ task }) => task?.state === 'completed')
  t.match(ended, { result: { bytes: 7 }, finishedAt: String, canCancel: false, key: 'ann', lane: { attempts: [{}, { outcome: 'completed' }], ended: Number } })
})

t.test('a task that waits for its retry shows the error of its last attempt, and when the next is due', async (t) => {
  const { app, look } = await createScene(t)
  const { id } = app.backgroundTasks.add({ name: 'flaky', retry: { retries: 1, delay: 30_000, jitter: false } }, () => { throw new TypeError('at first') })
  const client = await look(`task/${id}`)
  const { task } = await client.until(({ task }) => task?.state === 'delayed')
  t.match(task, { nextRunAt: String, lane: { state: 'delayed', error: { name: 'TypeError', message: 'at first' }, nextAt: Number } })
  t.ok(task!.lane!.nextAt! > 29_000)
})

t.test('a task of before the recording is shown by what its snapshot tells', async (t) => {
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { tasks: [work] } })
  await app.ready()
  const [stored, plain] = [app.backgroundTasks.add(work, {}), app.backgroundTasks.add({ name: 'plain' }, () => { throw new Error('no luck') })]
  t.ok(plain.id)
  await app.backgroundTasks.idle()
  const { task } = await (await look(`task/${stored.id}`)).whole()
  t.match(task, { state: 'completed', lane: { number: 0, kind: 'registered', added: 0, attempts: [{ attempt: 1, outcome: 'completed' }], ended: Number } })
  t.notOk('request' in task!)
  const { task: other } = await (await look(`task/${plain.id}`)).whole()
  t.match(other, { lane: { kind: 'function', attempts: [{ outcome: 'failed' }], error: { message: 'no luck' } } })
  const waiting = app.backgroundTasks.add(work, {}, { delay: 60_000 })
  await app.backgroundTasks.flush()
  t.match((await (await look(`task/${waiting.id}`)).whole()).task, { state: 'delayed', nextRunAt: String })
})

t.test('the id of a request finds its newest request, and any other id nothing', async (t) => {
  const { app, look } = await createScene(t, { server: { genReqId: () => 'same' } })
  app.get('/', async (req) => {
    req.backgroundTasks.add(() => {})
    return {}
  })
  const overview = await look()
  await overview.whole()
  await app.inject('/')
  await app.inject('/')
  await overview.until((entries) => entries['request:2'])
  const found = await (await look('task/same')).whole()
  t.same(found.found, { request: 2 })
  t.notOk('task' in found)
  const later = await look('task/7f7a8a10-18d0-4cff-8e82-2bf128d80538')
  t.same((await later.whole()).found, {})
})

const allowed: Array<[title: string, payload: DashboardOptions['payload'], shown: unknown]> = [
  ['true', true, { value: { to: 'ann', secret: 's' } }],
  ['a function', (payload: any, { name }) => ({ to: payload.to, name }), { value: { to: 'ann', name: 'send' } }],
  ['a function that returns nothing', () => undefined, undefined],
  ['a function that gives null', () => null, { value: null }],
  ['false', false, undefined]
]

for (const [title, option, shown] of allowed) {
  t.test(`with ${title} as the option payload, a task shows so much`, async (t) => {
    const latch = createLatch()
    const send = defineTask({ name: 'send', payload, handler: () => latch.promise })
    const { app, look, log } = await createScene(t, { tasks: { tasks: [send] }, dashboard: { payload: option! } })
    await app.ready()
    const { id } = app.backgroundTasks.add(send, { to: 'ann', secret: 's' })
    const client = await look(`task/${id}`)
    const { task } = await client.until(({ task }) => task?.state === 'active' && (shown === undefined || task.payload))
    t.same(task!.payload, shown)
    latch.resolve()
    const { task: ended } = await client.until(({ task }) => task?.state === 'completed')
    t.same(ended!.payload, shown)
    t.same(log.lines.filter(({ level }) => level === 'warn'), [])
  })
}

const failing: Array<[title: string, payload: DashboardOptions['payload'], message: RegExp]> = [
  ['throws', () => { throw new Error('no such key') }, /no such key/],
  ['gives a promise', async () => ({}), /must return what may be shown, received a promise/],
  ['gives what is no JSON', () => 1n, /BigInt/]
]

for (const [title, option, message] of failing) {
  t.test(`a function payload that ${title} shows nothing, and writes one line for each state`, async (t) => {
    const latch = createLatch()
    const work = named(() => latch.promise)
    const { app, look, log } = await createScene(t, { tasks: { tasks: [work] }, dashboard: { payload: option! } })
    await app.ready()
    const { id } = app.backgroundTasks.add(work, { secret: 'swordfish' })
    const client = await look(`task/${id}`)
    const warned = (): unknown[] => log.taskLines().filter(({ msg }) => msg.startsWith('option "payload"'))
    while (warned().length === 0) await new Promise(setImmediate)
    app.backgroundTasks.add({ name: 'other' }, () => {})
    latch.resolve()
    await client.until(({ task }) => task?.state === 'completed')
    t.notOk(client.events.some(({ text }) => text.includes('swordfish') || text.includes('payload')))
    t.ok(warned().length <= 2)
    t.match(warned()[0], {
      level: 'warn', task: 'work', taskId: id, err: { message }, msg: 'option "payload" of the dashboard failed: the payload of a background task is not shown'
    })
  })
}

t.test('a function payload gets a copy: what it changes is not changed for the task', async (t) => {
  const latch = createLatch()
  const seen: unknown[] = []
  const work = named(async (payload) => {
    await latch.promise
    seen.push(payload)
  })
  const { app, look } = await createScene(t, { tasks: { tasks: [work], concurrency: 1 }, dashboard: { payload: (payload: any) => Object.assign(payload, { secret: '…' }) } })
  await app.ready()
  app.backgroundTasks.add(() => latch.promise)
  const { id } = app.backgroundTasks.add(work, { secret: 'swordfish' })
  t.match(await (await look(`task/${id}`)).until(({ task }) => task?.payload), { task: { payload: { value: { secret: '…' } } } })
  latch.resolve()
  await app.backgroundTasks.idle()
  t.same(seen, [{ secret: 'swordfish' }])
})

t.test('an engine that cannot give payloads shows none', async (t) => {
  const { payload, ...engine } = createEngine()
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work] }, dashboard: { payload: true } })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, { secret: 's' })
  await app.backgroundTasks.idle()
  t.notOk('payload' in (await (await look(`task/${id}`)).whole()).task!)
})

t.test('a task in a shared store is shown as the store knows it', async (t) => {
  const engine = createDistantEngine()
  const work = named(() => { throw new Error('no luck') }, { retry: { retries: 1, delay: 1, jitter: false } })
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work] }, dashboard: { payload: true, actions: true } })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, { n: 1 }, { key: 'k' })
  await app.backgroundTasks.flush()
  while ((await engine.get(id))?.state !== 'failed') await new Promise(setImmediate)
  const client = await look(`task/${id}`)
  const { task } = await client.until(({ task }) => task?.payload)
  t.match(task, {
    state: 'failed', where: 'stored', key: 'k', payload: { value: { n: 1 } }, canRetry: true, lane: { isElsewhere: true, attempts: [{ attempt: 2, outcome: 'failed' }] }
  })
})
