import t, { type Test } from 'tap'
import type { Engine, ListedTask, TaskPage, TaskQuery } from '../../index.js'
import { createApp } from '../support/app.js'
import { createDistantEngine, createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { type StoredApp, createStoredApp, named } from '../support/stored-app.js'
import { SharedStore } from '../support/shared-store.js'
import { turnUntil } from '../support/turns.js'
import { until } from '../support/until.js'

type App = StoredApp['app']

/** All pages, each of which must be within the limit. */
async function pagesOf (t: Test, app: App, query: TaskQuery): Promise<TaskPage[]> {
  const pages: TaskPage[] = []
  let cursor: string | undefined
  do {
    const page = await app.backgroundTasks.list({ ...query, ...(cursor !== undefined && { cursor }) })
    t.ok(page.tasks.length <= (query.limit ?? 50))
    pages.push(page)
    cursor = page.cursor
  } while (cursor !== undefined)
  return pages
}

const { list: _list, ...withoutList } = createEngine()
const { counts: _counts, ...withoutCounts } = createDistantEngine()

const namesOf = (pages: TaskPage[]): string[][] => pages.map(({ tasks }) => tasks.map(({ name }) => name))

t.test('unfinished tasks of this process are listed, the oldest first, each with what is known of it', async (t) => {
  const release = createLatch()
  const { app, work } = await createStoredApp(t, () => release.promise)
  app.get('/', async (request) => {
    request.backgroundTasks.add({ name: 'first' }, () => release.promise)
    request.backgroundTasks.add({ name: 'second' }, () => {})
    request.backgroundTasks.add(work, 'secret', { key: 'k', delay: 60_000 })
    request.backgroundTasks.add(work, 'secret', { key: 'l' })
    return request.id
  })
  const { body: reqId } = await app.inject('/')
  await turnUntil(() => app.backgroundTasks.stats().active === 2)
  const list = async (state: TaskQuery['state']): Promise<ListedTask[]> => (await app.backgroundTasks.list({ state })).tasks
  const [first, own] = await list('active')
  t.match(first, { name: 'first', state: 'active', attempt: 1, reqId, where: 'process', key: undefined, nextRunAt: undefined })
  t.match(own, { name: 'work', state: 'active', reqId, key: 'l', where: 'process' })
  t.match(await list('waiting'), [{ name: 'second', state: 'waiting', reqId, where: 'process' }])
  const [delayed, ...others] = await list('delayed')
  t.same(others, [])
  t.match(delayed, { name: 'work', state: 'delayed', reqId, key: 'k', where: 'process' })
  const wait = Date.parse(delayed!.nextRunAt!) - Date.parse(delayed!.createdAt)
  t.ok(wait >= 59_990 && wait < 120_000, `${wait} ms`)
  const { key, reqId: from, where, ...snapshot } = own!
  t.same(await app.backgroundTasks.get(own!.id), snapshot)
  t.match(await app.backgroundTasks.get(first!.id), { name: 'first' }, 'the id that was made is known')
  t.notMatch(JSON.stringify([await list('active'), await list('delayed')]), 'secret')
  release.resolve()
})

t.test('finished tasks are listed that get finds, the latest first', async (t) => {
  const release = createLatch()
  const { app, work } = await createStoredApp(t, (payload) => {
    if (payload === 'fail') throw new Error('no luck')
    return payload === 'wait' ? release.promise : payload
  }, { result: {} }, { history: 3 })
  app.get('/', async (request) => request.backgroundTasks.add({ name: 'skipped', when: 'error' }, () => {}).id)
  await app.ready()
  const unread = app.backgroundTasks.add({ name: 'unread' }, () => {})
  t.ok(unread)
  for (const name of ['a', 'b', 'c', 'd']) {
    const { id } = app.backgroundTasks.add({ name }, () => {})
    t.ok(id)
    await app.backgroundTasks.idle()
  }
  t.same(namesOf([await app.backgroundTasks.list({ state: 'completed' })]), [['d', 'c', 'b']])
  app.backgroundTasks.add(work, 'fail', { key: 'k' })
  await app.backgroundTasks.idle()
  const [failed] = (await app.backgroundTasks.list({ state: 'failed' })).tasks
  t.match(failed, { name: 'work', state: 'failed', key: 'k', where: 'process', error: { message: 'no luck' } })
  const cancelled = app.backgroundTasks.add(work, 'wait')
  await turnUntil(() => cancelled.state === 'active')
  cancelled.cancel()
  t.match((await app.backgroundTasks.list({ state: 'cancelled' })).tasks, [{ id: cancelled.id, where: 'process' }])
  const { body: id } = await app.inject('/')
  await app.backgroundTasks.idle()
  t.match(await app.backgroundTasks.list({ state: 'skipped' }), { tasks: [{ id, state: 'skipped' }], cursor: undefined })
  failed!.error!.message = 'changed'
  t.match(await app.backgroundTasks.get(failed!.id), { error: { message: 'no luck' } }, 'a page may be changed')
})

t.test('a task is listed once, although the ids of others find it too', async (t) => {
  const release = createLatch()
  const { app, work } = await createStoredApp(t, () => release.promise)
  const merged = createLatch()
  app.get('/early', async (request) => {
    const { id } = request.backgroundTasks.add(work, 2, { key: 'k' })
    await merged.promise
    return id
  })
  const early = app.inject('/early')
  await turnUntil(() => app.backgroundTasks.stats().waiting === 1)
  const first = app.backgroundTasks.add(work, 1, { key: 'k' })
  await turnUntil(() => first.state === 'active')
  merged.resolve()
  const { body: id } = await early
  t.not(id, first.id)
  release.resolve()
  await app.backgroundTasks.idle()
  t.match(await app.backgroundTasks.get(id), { id: first.id, state: 'completed' })
  t.match(await app.backgroundTasks.list({ state: 'completed' }), { tasks: [{ id: first.id }], cursor: undefined })
  t.equal((await app.backgroundTasks.list({ state: 'completed' })).tasks.length, 1)
})

for (const [title, options] of [['of functions', {}], ['of an engine that cannot list', { engine: withoutList }]] as const) {
  t.test(`pages ${title} hold every task once, in order`, async (t) => {
    const app = await createApp(t, options)
    const names = Array.from({ length: 7 }, (_, index) => `task ${index}`)
    const release = createLatch()
    for (const name of names) app.backgroundTasks.add({ name }, () => release.promise)
    await turnUntil(() => app.backgroundTasks.stats().active === names.length)
    t.same(namesOf(await pagesOf(t, app, { state: 'active', limit: 3 })), [names.slice(0, 3), names.slice(3, 6), names.slice(6)])
    t.same(namesOf(await pagesOf(t, app, { state: 'active', limit: 7 })), [names])
    t.same(namesOf(await pagesOf(t, app, { state: 'active', limit: 3, name: 'task 4' })), [['task 4']])
    release.resolve()
    await app.backgroundTasks.idle()
    t.same(namesOf(await pagesOf(t, app, { state: 'completed', limit: 4 })).flat().sort(), names)
  })
}

t.test('a page goes on where the last one ended, although its last task has ended', async (t) => {
  const app = await createApp(t)
  const tasks = ['a', 'b', 'c'].map((name) => app.backgroundTasks.add({ name }, () => new Promise(() => {})))
  await turnUntil(() => app.backgroundTasks.stats().active === 3)
  const { cursor } = await app.backgroundTasks.list({ state: 'active', limit: 2 })
  tasks[0]!.cancel()
  tasks[1]!.cancel()
  t.match(await app.backgroundTasks.list({ state: 'active', limit: 2, cursor: cursor! }), { tasks: [{ name: 'c' }], cursor: undefined })
  tasks[2]!.cancel()
  t.match(await app.backgroundTasks.list({ state: 'active', limit: 2, cursor: cursor! }), { tasks: { length: 0 }, cursor: undefined })
})

t.test('a cursor may be used again, with another limit too, and the cursor of the end of this process goes on in the store', async (t) => {
  const { app, work } = await createStoredApp(t, () => {}, {}, { engine: createDistantEngine(), worker: false })
  await app.ready()
  const own = ['a', 'b', 'c'].map((name) => app.backgroundTasks.add({ name }, () => new Promise(() => {})))
  await turnUntil(() => app.backgroundTasks.stats().active === 3)
  const { cursor } = await app.backgroundTasks.list({ state: 'active', limit: 1 })
  for (const limit of [1, 1, 2, 5]) {
    const { tasks } = await app.backgroundTasks.list({ state: 'active', limit, cursor: cursor! })
    t.same(tasks.map(({ name }) => name), ['b', 'c'].slice(0, limit))
  }
  for (const task of own) task.cancel()
  const late = app.backgroundTasks.add({ name: 'waits' }, () => {})
  for (const key of ['k', 'l']) app.backgroundTasks.add(work, 1, { key })
  await app.backgroundTasks.flush()
  const first = await app.backgroundTasks.list({ state: 'waiting', limit: 1 })
  t.match(first.tasks, [{ name: 'waits', where: 'process' }])
  late.cancel()
  app.backgroundTasks.add({ name: 'later' }, () => {})
  for (let times = 0; times < 2; times++) {
    t.match((await app.backgroundTasks.list({ state: 'waiting', limit: 5, cursor: first.cursor! })).tasks, [{ key: 'k' }, { key: 'l' }])
  }
  await app.backgroundTasks.idle()
})

t.test('a limit is 50 where none is given', async (t) => {
  const app = await createApp(t)
  const tasks = Array.from({ length: 51 }, () => app.backgroundTasks.add(() => new Promise(() => {})))
  await turnUntil(() => app.backgroundTasks.stats().active === 51)
  t.equal((await app.backgroundTasks.list({ state: 'active' })).tasks.length, 50)
  t.equal((await app.backgroundTasks.list({ state: 'active', limit: 200 })).tasks.length, 51)
  for (const task of tasks) task.cancel()
})

t.test('a wrong query is refused by name', async (t) => {
  const app = await createApp(t)
  for (let count = 0; count < 2; count++) t.ok(app.backgroundTasks.add({ name: 'a' }, () => new Promise(() => {})).id)
  await turnUntil(() => app.backgroundTasks.stats().active === 2)
  const { cursor } = await app.backgroundTasks.list({ state: 'active', limit: 1 })
  t.type(cursor, 'string')
  const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const cursorMessage = /^option "cursor" must be that of a page of the same state and name, received "/
  for (const [query, message] of [
    [undefined, /^options must be an object, received undefined$/],
    [{}, /^option "state" must be one of 'waiting', .*, received undefined$/],
    [{ state: 'done' }, /^option "state" must be one of .*, received "done"$/],
    [{ state: 'failed', limit: 0 }, /^option "limit" must be an integer from 1 to 200, received 0$/],
    [{ state: 'failed', limit: 201 }, /^option "limit" must be an integer from 1 to 200, received 201$/],
    [{ state: 'failed', name: '' }, /^option "name" must be a non-empty string, received ""$/],
    [{ state: 'failed', page: 2 }, /^unknown option "page", received 2$/],
    [{ state: 'failed', cursor: 5 }, /^option "cursor" must be a non-empty string, received 5$/],
    [{ state: 'failed', cursor: 'x' }, cursorMessage],
    [{ state: 'failed', cursor: encoded(null) }, cursorMessage],
    [{ state: 'failed', cursor: encoded(['failed', '', null]) }, cursorMessage],
    [{ state: 'failed', cursor: encoded(['failed', '', { rank: 1, cursor: 5 }]) }, cursorMessage],
    [{ state: 'failed', cursor: encoded(['failed', '', { rank: 1, id: 5 }]) }, cursorMessage],
    [{ state: 'failed', cursor: encoded(['failed', '', { rank: 1 }]) }, cursorMessage],
    [{ state: 'failed', cursor: encoded(['failed', '', { cursor: 5 }]) }, cursorMessage],
    [{ state: 'failed', cursor: encoded(['failed', '', 'no place']) }, cursorMessage],
    [{ state: 'failed', cursor }, cursorMessage],
    [{ state: 'active', name: 'a', cursor }, cursorMessage],
    [{ state: 'failed', cursor: encoded(['failed', '', { cursor: 'not of the engine' }]) }, /cursor/]
  ] as const) {
    await t.rejects(app.backgroundTasks.list(query as unknown as TaskQuery), { code: 'FST_BGT_INVALID_OPTIONS', message }, String(message))
  }
  for (const { id } of (await app.backgroundTasks.list({ state: 'active' })).tasks) await app.backgroundTasks.cancel(id)
})

t.test('the tasks of this process come first, then those of the store that are of other processes', async (t) => {
  const store = createDistantEngine()
  const held = createLatch()
  const { app, work } = await createStoredApp(t, () => held.promise, {}, { engine: store, concurrency: 1 })
  await app.ready()
  for (const key of ['a', 'b', 'c']) app.backgroundTasks.add(work, 'secret', { key })
  await turnUntil(() => app.backgroundTasks.stats().active === 1)
  app.backgroundTasks.add({ name: 'own' }, () => {})
  const pages = await pagesOf(t, app, { state: 'waiting', limit: 1 })
  t.match(pages.map(({ tasks }) => tasks), [
    [{ name: 'own', where: 'process' }], [{ key: 'b', where: 'stored' }], [{ key: 'c', where: 'stored' }]
  ])
  t.match(await app.backgroundTasks.list({ state: 'active' }), { tasks: [{ name: 'work', key: 'a', where: 'process' }] }, 'a guest is of this process')
  t.equal((await pagesOf(t, app, { state: 'active' })).flatMap(({ tasks }) => tasks).length, 1)
  t.notMatch(JSON.stringify(pages), 'secret')
  held.resolve()
  await turnUntil(() => app.backgroundTasks.stats().completed === 4)
  await until(async () => (await store.counts!()).completed === 3)
  const { tasks, scanned } = await app.backgroundTasks.list({ state: 'completed' })
  t.same(tasks.map(({ where, key = '' }) => where + key), ['process', 'storedc', 'storedb', 'storeda'])
  t.equal(scanned, 3)
})

t.test('a call looks at no more than 1000 stored tasks, and asks an engine for no more', async (t) => {
  const asked: unknown[] = []
  const engine = createDistantEngine(() => ({
    async list (query) {
      asked.push(query)
      return { tasks: [], cursor: 'on', scanned: asked.length === 1 ? 900 : 0 }
    }
  }))
  const app = await createApp(t, { engine })
  const { cursor, ...page } = await app.backgroundTasks.list({ state: 'failed', name: 'n', limit: 7 })
  t.same(page, { tasks: [], scanned: 900 })
  t.same(asked.slice(0, 3), [
    { state: 'failed', name: 'n', limit: 7, scan: 1000 },
    { state: 'failed', name: 'n', limit: 7, scan: 100, cursor: 'on' },
    { state: 'failed', name: 'n', limit: 7, scan: 99, cursor: 'on' }
  ])
  t.equal(asked.length, 101)
  t.type(cursor, 'string')
})

t.test('scanned is the number of stored tasks that were looked at: none of an empty store', async (t) => {
  for (const engine of [createEngine(), createDistantEngine()]) {
    const { app, work } = await createStoredApp(t, () => { throw new Error('no luck') }, {}, { engine, history: 1 })
    await app.ready()
    t.same(await app.backgroundTasks.list({ state: 'failed' }), { tasks: [], scanned: 0 })
    const { id } = app.backgroundTasks.add(work, 1)
    await until(async () => (await engine.get(id))?.state === 'failed')
    t.match(await app.backgroundTasks.list({ state: 'failed' }), { tasks: [{ id }], scanned: 1 })
    t.match(await app.backgroundTasks.list({ state: 'failed', name: 'other' }), { tasks: { length: 0 }, scanned: 1 })
  }
})

t.test('when the engine does not answer, list and counts reject', async (t) => {
  const cause = new Error('away')
  const failing = async (): Promise<never> => { throw cause }
  const app = await createApp(t, { engine: createDistantEngine(() => ({ list: failing, counts: failing })) })
  await t.rejects(app.backgroundTasks.list({ state: 'failed' }), { code: 'FST_BGT_ENGINE', cause })
  await t.rejects(app.backgroundTasks.counts(), { code: 'FST_BGT_ENGINE', cause })
})

t.test('counts tells of each state in this process, and of a store that others share', async (t) => {
  const release = createLatch()
  const run: Parameters<typeof named>[0] = (payload) => {
    if (payload === 'fail') throw new Error('no luck')
    return release.promise
  }
  const own = { waiting: 0, active: 1, delayed: 0, completed: 0, failed: 1, cancelled: 1, skipped: 0 }
  const distant: Engine = createDistantEngine()
  for (const [engine, stored] of [
    [createEngine(), undefined],
    [withoutCounts, undefined],
    [distant, { waiting: 0, active: 1, delayed: 1, completed: 0, failed: 2 }]
  ] as const) {
    const { app, work } = await createStoredApp(t, run, {}, { engine })
    await app.ready()
    const failed = app.backgroundTasks.add(work, 'fail')
    await until(async () => (await engine.get(failed.id))?.state === 'failed')
    const active = app.backgroundTasks.add(work, 'wait')
    await until(async () => (await engine.get(active.id))?.state === 'active')
    app.backgroundTasks.add(() => {}).cancel()
    if (stored !== undefined) {
      const [later, never] = [app.backgroundTasks.add(work, 'wait', { delay: 60_000 }), app.backgroundTasks.add(work, 'wait', { delay: 60_000 })]
      await until(async () => (await engine.get(later.id)) !== undefined)
      await app.backgroundTasks.cancel(never.id)
    }
    t.same(await app.backgroundTasks.counts(), { process: own, ...(stored !== undefined && { stored }) })
  }
  release.resolve()
})

t.test('with an engine that has none of the methods, list and counts tell about this process', async (t) => {
  const { app, work } = await createStoredApp(t, () => {}, {}, { engine: new SharedStore().createEngine(), worker: false })
  await app.ready()
  app.backgroundTasks.add(work, 1)
  await app.backgroundTasks.idle()
  t.same(await app.backgroundTasks.list({ state: 'waiting' }), { tasks: [], scanned: 0 })
  t.same(Object.keys(await app.backgroundTasks.counts()), ['process'])
})
