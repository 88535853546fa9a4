import t from 'tap'
import { readEvents } from '../../examples/demo/read-events.js'
import { startExampleApp } from '../support/example-app.js'

t.test('POST /reports says where the report can be followed, from its progress to its result', async (t) => {
  const { app } = await startExampleApp(t)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}/reports`, { method: 'POST', headers, body: JSON.stringify({ year: 2026 }) })
  t.equal(response.status, 202)
  const { id } = await response.json()
  const location = response.headers.get('location')
  t.equal(location, `/tasks/${id}`)

  const states: string[] = []
  const progress: number[] = []
  let result: unknown
  for await (const { event, task } of readEvents(await fetch(`${url}${location}/events`))) {
    t.equal(task.id, id)
    if (event === 'state') states.push(task.state)
    else progress.push(Number(task.progress))
    result = task.result
  }
  t.same(states.slice(-2), ['active', 'completed'])
  t.ok(progress.length > 1)
  t.same(progress, [...progress].sort((a, b) => a - b))
  t.equal(progress.at(-1), 1)
  t.same(result, { year: 2026, total: 26 * 78 })
  t.match(await (await fetch(`${url}${location}`)).json(), { state: 'completed', progress: 1, result })
})

t.test('a report that is not wanted any more is cancelled by DELETE', async (t) => {
  const { app } = await startExampleApp(t)
  const { headers } = await app.inject({ method: 'POST', url: '/reports', payload: { year: 2026 } })
  const url = headers.location ?? ''
  t.equal((await app.inject({ method: 'DELETE', url })).statusCode, 200)
  t.match((await app.inject(url)).json(), { state: 'cancelled' })
  t.equal((await app.inject({ method: 'DELETE', url })).statusCode, 409)
  await app.backgroundTasks.idle()
})

t.test('POST /reports replies 400 to a year that has no sales', async (t) => {
  const { app } = await startExampleApp(t)
  for (const payload of [{ year: 1999 }, { year: 'last' }, {}]) {
    t.equal((await app.inject({ method: 'POST', url: '/reports', payload })).statusCode, 400)
  }
  t.match(app.backgroundTasks.stats(), { waiting: 0, completed: 0 })
  t.equal((await app.inject('/tasks/7f7a8a10-18d0-4cff-8e82-2bf128d80538')).statusCode, 404)
})
