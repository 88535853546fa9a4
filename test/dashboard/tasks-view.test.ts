import t from 'tap'
import { createScene } from '../support/dashboard.js'
import { createLatch } from '../support/latch.js'
import { block } from '../support/per-turn.js'
import { named } from '../support/stored-app.js'

t.test('the tasks of a state are shown as list gives them, with what may be done, and as they change', async (t) => {
  const latch = createLatch()
  const { app, look } = await createScene(t, { dashboard: { actions: true } })
  app.get('/', async (req) => {
    req.backgroundTasks.add({ name: 'first' }, () => latch.promise)
    // Not in the same millisecond.
    req.backgroundTasks.add({ name: 'second' }, () => { block(2) })
    return {}
  })
  await app.inject('/')
  await app.ready()
  const [active, waiting, completed] = [await look('tasks/active'), await look('tasks/waiting'), await look('tasks/completed')]
  const { list, counts, ...entries } = await active.whole()
  t.match(counts, { active: 1, waiting: 1 })
  t.equal(list!.ids.length, 1)
  const [id] = list!.ids
  t.match(entries[`task:${id}` as const], {
    id, name: 'first', state: 'active', where: 'process', reqId: /^req-/, canCancel: true, canRetry: false
  })
  t.equal((await waiting.whole()).list!.ids.length, 1)
  t.same((await completed.whole()).list!.ids, [])
  latch.resolve()
  const after = await active.until(({ list }) => list!.ids.length === 0)
  t.notOk(`task:${id}` in after, 'it is gone')
  await waiting.until(({ list }) => list!.ids.length === 0)
  const { list: ended } = await completed.until(({ list }) => list!.ids.length === 2)
  t.same(ended!.ids.at(-1), id, 'the latest first')
})

t.test('a filter by name and a cursor are part of the view', async (t) => {
  const { app, look } = await createScene(t)
  const names = Array.from({ length: 60 }, (_, n) => n === 30 ? 'rare one' : 'common')
  for (const name of names) t.ok(app.backgroundTasks.add({ name }, () => {}).id)
  await app.backgroundTasks.idle()
  const { list: first } = await (await look('tasks/completed')).whole()
  t.equal(first!.ids.length, 50)
  const { list: second } = await (await look(`tasks/completed&name=&cursor=${first!.cursor}`)).whole()
  t.equal(second!.ids.length, 10)
  t.notOk('cursor' in second!)
  t.equal(new Set([...first!.ids, ...second!.ids]).size, 60)
  const { list, ...rest } = await (await look('tasks/completed&name=rare%20one')).whole()
  t.equal(list!.ids.length, 1)
  t.match(rest[`task:${list!.ids[0]}` as const], { name: 'rare one' })
  t.match((await (await look('tasks/completed&name=none')).whole()).list, { ids: [] })
  t.match((await (await look('tasks/failed&cursor=nonsense')).whole()).list, { ids: [] }, 'a cursor of nothing gives nothing')
})

t.test('only what the engine knows may be retried', async (t) => {
  const work = named((payload: any) => { if (payload.fail) throw new Error('no luck') })
  const { app, look } = await createScene(t, { tasks: { tasks: [work] }, dashboard: { actions: true } })
  await app.ready()
  const stored = app.backgroundTasks.add(work, { fail: true })
  const late = app.backgroundTasks.add(work, {}, { delay: 60_000 })
  const early = app.backgroundTasks.add(work, {})
  early.cancel()
  t.ok(app.backgroundTasks.add({ name: 'function' }, () => { throw new Error('no luck') }).id)
  await app.backgroundTasks.flush()
  late.cancel()
  await app.backgroundTasks.idle()
  const failed = await (await look('tasks/failed')).whole()
  const flags = Object.fromEntries(failed.list!.ids.map((id) => [failed[`task:${id}` as const]!.name, failed[`task:${id}` as const]!.canRetry]))
  t.same(flags, { work: true, function: false })
  t.equal(failed[`task:${stored.id}` as const]!.canRetry, true)
  const cancelled = await (await look('tasks/cancelled')).whole()
  t.equal(cancelled[`task:${late.id}` as const]!.canRetry, true)
  t.equal(cancelled[`task:${early.id}` as const]!.canRetry, false, 'a task that was never given to the engine')
  t.equal((await (await look('tasks/completed')).whole()).list!.ids.length, 0)
})

t.test('no payload is in any stream unless it is allowed', async (t) => {
  const latch = createLatch()
  const work = named(() => latch.promise)
  const { app, look } = await createScene(t, { tasks: { tasks: [work] } })
  app.get('/', async (req) => {
    req.backgroundTasks.add(work, { secret: 'swordfish' }, { key: 'k' })
    return {}
  })
  const clients = [await look(), await look('tasks/active'), await look('request/1')]
  await app.inject('/')
  const { list } = await clients[1]!.until(({ list }) => list?.ids.length === 1)
  clients.push(await look(`task/${list!.ids[0]}`))
  t.match((await clients[3]!.whole()).task, { key: 'k', name: 'work' })
  latch.resolve()
  await clients[3]!.until(({ task }) => task?.state === 'completed')
  for (const client of clients) t.notOk(client.events.some(({ text }) => text.includes('swordfish')))
})
