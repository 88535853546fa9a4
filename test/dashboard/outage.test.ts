import t from 'tap'
import { createScene } from '../support/dashboard.js'
import { createDistantEngine } from '../support/engine.js'
import { block } from '../support/per-turn.js'
import { named } from '../support/stored-app.js'

t.test('while the store does not answer, each view says so and shows what it knows, and goes on when the store is back', async (t) => {
  let isDown = false
  const guard = <Args extends unknown[], Value>(ask: (...args: Args) => Promise<Value>) => async (...args: Args): Promise<Value> => {
    if (isDown) throw new Error('connect ECONNREFUSED 10.0.0.7:6379')
    return await ask(...args)
  }
  const engine = createDistantEngine((inner) => ({
    counts: guard(inner.counts!), list: guard(inner.list!), get: guard((id: string) => inner.get(id)), add: (tasks) => inner.add(tasks)
  }))
  const work = named(() => {})
  const { app, look } = await createScene(t, { tasks: { engine, tasks: [work] } })
  await app.ready()
  const { id } = app.backgroundTasks.add(work, {}, { delay: 60_000 })
  await app.backgroundTasks.flush()
  const views = ['overview', 'tasks/delayed', `task/${id}`]
  const clients = await Promise.all(views.map((view) => look(view)))
  for (const client of clients) t.notOk('store' in await client.whole())
  isDown = true
  app.backgroundTasks.add({ name: 'here' }, () => {})
  const before = Date.now()
  for (const client of clients) await client.until(({ store }) => store)
  for (const { entries: { store } } of clients) {
    t.equal(store!.error, 'background tasks could not be asked for')
    t.ok(Math.abs(store!.since - before) < 60_000)
  }
  await clients[0]!.until((entries) => entries['name:here']?.counts.completed === 1)
  t.match(clients[0]!.entries, { counts: { delayed: 1 } }, 'as it was before')
  t.match(clients[1]!.entries, { list: { ids: [id] } })
  t.match(clients[2]!.entries, { task: { state: 'delayed' } })
  const late = await look('tasks/failed')
  const { store, list } = await late.whole()
  t.ok(store, 'who comes now learns it at once')
  t.equal(list, undefined)
  isDown = false
  for (const client of [...clients, late]) await client.until(({ store }) => store === undefined)
  await late.until(({ list }) => list)
  t.notOk([...clients, late].some(({ events }) => events.some(({ text }) => text.includes('ECONNREFUSED'))), 'no address of the store leaves')
})

t.test('a store that fails is asked again soon, then less often, and only one question at a time', async (t) => {
  const asked: number[] = []
  let asking = 0
  const ask = async (): Promise<never> => {
    t.equal(++asking, 1)
    asked.push(performance.now())
    await new Promise(setImmediate)
    asking--
    throw new Error('down')
  }
  const engine = createDistantEngine(() => ({ counts: ask, list: ask, get: ask }))
  const { app, look } = await createScene(t, { tasks: { engine } })
  const busy = setInterval(() => { app.backgroundTasks.add(() => {}) }, 5)
  t.teardown(() => { clearInterval(busy) })
  const clients = [await look(), await look('tasks/failed'), await look('task/none')]
  for (const client of clients) await client.until(({ store }) => store)
  while (asked.length < 5) await clients[0]!.next()
  const gaps = asked.slice(1).map((at, index) => at - asked[index]!)
  gaps.forEach((gap, index) => { t.ok(gap >= 100 * 2 ** index - 5, `${gap} ms`) })
})

t.test('the next question waits for ten times as long as the last one took', async (t) => {
  const asked: Array<[start: number, end: number]> = []
  const engine = createDistantEngine((inner) => ({
    async counts () {
      const start = performance.now()
      block(40)
      asked.push([start, performance.now()])
      return await inner.counts!()
    }
  }))
  const { app, look } = await createScene(t, { tasks: { engine } })
  const busy = setInterval(() => { app.backgroundTasks.add(() => {}) }, 5)
  t.teardown(() => { clearInterval(busy) })
  const client = await look('tasks/failed')
  while (asked.length < 3) await client.next()
  asked.slice(1).forEach(([start], index) => {
    const [lastStart, lastEnd] = asked[index]!
    t.ok(start - lastEnd >= 9 * (lastEnd - lastStart), `${start - lastEnd} ms after one of ${lastEnd - lastStart} ms`)
  })
})
