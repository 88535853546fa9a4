import type { Test } from 'tap'
import type { Names } from '../../support/snippet-names.js'

/** Checks of parts that stand in more than one page. */

export async function tellsTheCrm (t: Test, { app }: Names): Promise<void> {
  t.equal((await app.inject({ method: 'POST', url: '/users' })).statusCode, 201)
  await app.backgroundTasks.idle()
  t.match(app.backgroundTasks.stats(), { completed: 1, failed: 0 })
}

export async function transfers (t: Test, { app, calls }: Names): Promise<void> {
  t.equal((await app.inject({ method: 'POST', url: '/transfer' })).statusCode, 500)
  await app.backgroundTasks.idle()
  t.same(calls, [['alertOperator']])
  t.equal(app.backgroundTasks.stats().skipped, 1)
}

export async function reportsProgress (t: Test, { app }: Names): Promise<void> {
  const response = await app.inject({ method: 'POST', url: '/reports' })
  t.equal(response.statusCode, 202)
  await app.backgroundTasks.idle()
  const location = String(response.headers.location)
  t.match((await app.inject(location)).json(), { id: response.json().id, name: 'writeReport', state: 'completed' })
  const events = await app.inject(`${location}/events`)
  t.match(events.headers, { 'content-type': 'text/event-stream' })
  t.match(events.body, /event: state\ndata: {.*"state":"completed"/)
  t.equal((await app.inject('/tasks/7f7a8a10-18d0-4cff-8e82-2bf128d80538')).statusCode, 404)
}

export async function showsDashboard (t: Test, { app }: Names): Promise<void> {
  const { statusCode, body } = await app.inject('/background-tasks/')
  t.equal(statusCode, 200)
  t.match(body, '<title>Background tasks</title>')
}
