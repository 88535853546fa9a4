import t from 'tap'
import type { DashboardOptions } from '../../lib/dashboard.js'
import { createScene } from '../support/dashboard.js'
import { createEngine } from '../support/engine.js'
import { createLatch } from '../support/latch.js'
import { named } from '../support/stored-app.js'

t.test('retry runs a failed task again, and gives its snapshot; one line says who did it', async (t) => {
  let attempts = 0
  const work = named(() => { if (++attempts === 1) throw new Error('no luck') })
  const { app, act, log } = await createScene(t, { tasks: { tasks: [work] }, dashboard: { actions: true } })
  const { id } = app.backgroundTasks.add(work, {})
  await app.ready()
  await app.backgroundTasks.idle()
  const { status, headers, body } = await act(id, 'retry')
  t.equal(status, 200)
  t.match(headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store' })
  t.match(JSON.parse(body), { id, name: 'work', state: 'waiting', attempt: 1 })
  await app.backgroundTasks.idle()
  t.match(await app.backgroundTasks.get(id), { state: 'completed' })
  t.match(log.taskLines().filter(({ level }) => level === 'info'),
    [{ msg: 'background task retried from the dashboard', task: 'work', taskId: id, reqId: /^req-/ }])
  t.equal((await act(id, 'retry')).status, 409, 'a completed task')
})

t.test('cancel ends a task, and gives its snapshot; one line says who did it', async (t) => {
  const { app, act, log } = await createScene(t, { dashboard: { actions: true } })
  const { id } = app.backgroundTasks.add({ name: 'held' }, (task) => new Promise((resolve) => { task.signal.onabort = resolve }))
  const { status, body } = await act(id, 'cancel')
  t.equal(status, 200)
  t.match(JSON.parse(body), { id, state: 'cancelled', error: { code: 'FST_BGT_CANCELLED' } })
  t.match(log.taskLines().filter(({ msg }) => msg.includes('dashboard')),
    [{ level: 'info', msg: 'background task cancelled from the dashboard', task: 'held', taskId: id }])
  t.equal((await act(id, 'cancel')).status, 409, 'a cancelled task')
  t.equal((await act(id, 'retry')).status, 409, 'a function cannot run again')
})

t.test('an unknown task is 404, and an action without effect writes no line', async (t) => {
  const { act, log } = await createScene(t, { dashboard: { actions: true } })
  for (const action of ['cancel', 'retry'] as const) {
    for (const id of ['none', '7f7a8a10-18d0-4cff-8e82-2bf128d80538', '%2e%2e']) t.equal((await act(id, action)).status, 404)
  }
  t.same(log.taskLines(), [])
})

const forbidding: Array<[title: string, actions: DashboardOptions['actions'], line?: object]> = [
  ['absent', undefined],
  ['false', false],
  ['a function that says no', () => false],
  ['a function whose promise says no', async () => false],
  ['a function that says something else than true', (() => 'admin') as never],
  ['a function that throws', () => { throw new Error('no session') }, { level: 'error', err: { message: 'no session' } }],
  ['a function that rejects', async () => { throw new Error('no session') }, { level: 'error', err: { message: 'no session' } }]
]

for (const [title, actions, line] of forbidding) {
  t.test(`where the option actions is ${title}, an action is 403 and the page shows none`, async (t) => {
    const work = named(() => { throw new Error('no luck') })
    const { app, act, look, log } = await createScene(t, { tasks: { tasks: [work] }, dashboard: { ...(actions !== undefined && { actions }) } })
    const { id } = app.backgroundTasks.add(work, {})
    await app.ready()
    await app.backgroundTasks.idle()
    const { status, body } = await act(id, 'retry')
    t.equal(status, 403)
    t.match(JSON.parse(body), { message: 'actions are not allowed' })
    t.equal((await act('none', 'cancel')).status, 403, 'also of a task that is not there')
    const list = await (await look('tasks/failed')).whole()
    t.match(list, { page: { actions: false }, [`task:${id}`]: { canRetry: false, canCancel: false } })
    t.match(await (await look(`task/${id}`)).whole(), { task: { canRetry: false, canCancel: false } })
    const lines = log.taskLines().filter(({ msg }) => msg.includes('dashboard'))
    if (line === undefined) t.same(lines, [])
    else t.match(lines[0], { ...line, msg: 'option "actions" of the dashboard failed: background tasks stay as they are' })
  })
}

t.test('the function is asked again for each action, with the request', async (t) => {
  const asked: string[] = []
  const { app, act, look } = await createScene(t, {
    dashboard: {
      async actions (request) {
        asked.push(`${request.method} ${request.routeOptions.url}`)
        return request.headers['x-role'] === 'operator'
      }
    }
  })
  const add = (): string => app.backgroundTasks.add({}, (task) => new Promise((resolve) => { task.signal.onabort = resolve })).id
  const [guest, operator] = [await look(), await look('overview', { 'x-role': 'operator' })]
  t.equal((await guest.whole()).page!.actions, false)
  t.equal((await operator.whole()).page!.actions, true)
  t.equal((await act(add(), 'cancel')).status, 403)
  t.equal((await act(add(), 'cancel', { 'x-role': 'operator' })).status, 200)
  t.equal((await act(add(), 'cancel', { 'x-role': 'guest' })).status, 403)
  t.same(asked, [...Array(2).fill('GET /background-tasks/live'), ...Array(3).fill('POST /background-tasks/tasks/:id/cancel')])
})

t.test('viewers of one view see what each may do', async (t) => {
  const latch = createLatch()
  const { app, look } = await createScene(t, { dashboard: { actions: ({ headers }) => headers['x-role'] === 'operator' } })
  const { id } = app.backgroundTasks.add(() => latch.promise)
  const [guest, operator] = [await look('tasks/active'), await look('tasks/active', { 'x-role': 'operator' })]
  t.match(await guest.whole(), { [`task:${id}`]: { canCancel: false } })
  t.match(await operator.whole(), { [`task:${id}`]: { canCancel: true, canRetry: false } })
  latch.resolve()
})

t.test('with an engine that cannot run tasks again, retry is 503 and the page does not offer it', async (t) => {
  const { retry, ...engine } = createEngine()
  const work = named(() => { throw new Error('no luck') })
  const { app, act, look } = await createScene(t, { tasks: { engine, tasks: [work] }, dashboard: { actions: true } })
  const { id } = app.backgroundTasks.add(work, {})
  await app.ready()
  await app.backgroundTasks.idle()
  t.match(await (await look('tasks/failed')).whole(), { [`task:${id}`]: { canRetry: false } })
  const { status, body } = await act(id, 'retry')
  t.equal(status, 503)
  t.match(JSON.parse(body), { code: 'FST_BGT_ENGINE', message: /this engine cannot/ })
})
