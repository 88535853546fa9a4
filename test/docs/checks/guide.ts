import type { Checks } from '../../support/snippet-names.js'
import { reportsProgress, tellsTheCrm, transfers } from './common.js'

export const guide: Checks = {
  async 'The first task' (t, { app, sentTo }) {
    t.equal((await app.inject({ method: 'POST', url: '/users' })).statusCode, 201)
    await app.backgroundTasks.idle()
    t.same(sentTo, ['ann@example.com'])
  },

  'Options, and the task itself': tellsTheCrm,

  async 'Options, and the task itself (2)' (t, { app, calls }) {
    t.same((await app.inject({ method: 'POST', url: '/import' })).json(), { accepted: 2 })
    await app.backgroundTasks.idle()
    t.same(calls, [['importFeed', 'https://example.com/a'], ['importFeed', 'https://example.com/b']])
  },

  async 'Work that is already running' (t, { app, calls }) {
    t.same((await app.inject('/products')).json(), { products: [] })
    await app.backgroundTasks.idle()
    t.same(calls, [['warmCache']])
  },

  async Errors (t, { app, calls }) {
    const { id } = app.backgroundTasks.add(function archive () { throw new Error('disk full') })
    await app.backgroundTasks.idle()
    t.same(calls, [['deadLetter', { task: 'archive', id, error: 'Error: disk full' }]])
  },

  async Retries (t, { app, calls }) {
    t.equal((await app.inject({ method: 'POST', url: '/hooks' })).statusCode, 202)
    await app.backgroundTasks.idle()
    const call = ['callWebhook', 'https://example.com/hook']
    t.same(calls, [call, call], 'the second attempt fails for good')
    t.match(app.backgroundTasks.stats(), { failed: 1, retries: 1 })
  },

  async 'Timeouts and cancelling' (t, { app, calls }) {
    const response = await app.inject({ method: 'POST', url: '/albums' })
    t.equal(response.statusCode, 202)
    await app.backgroundTasks.idle()
    t.match(calls, [['resize', 'a.png'], ['resize', 'b.png']])
    t.match(await app.backgroundTasks.get(response.json().id), { name: 'resizeAll', state: 'completed', progress: 1 })
    t.same((await app.inject({ method: 'DELETE', url: `/albums/${response.json().id}` })).json(), { cancelled: false })
  },

  'When the response is an error': transfers,

  async 'What to give to a task' (t, { app, calls, sentTo }) {
    await app.inject({ method: 'POST', url: '/accounts', payload: { email: 'bob@example.com' } })
    await app.backgroundTasks.idle()
    t.same(calls, [['insert', 'bob@example.com']])
    t.same(sentTo, ['bob@example.com'])
  },

  async 'What to give to a task (2)' (t, { app, calls }) {
    t.same((await app.inject({ method: 'POST', url: '/checkout' })).json(), { orderId: 7 })
    await app.backgroundTasks.idle()
    t.match(calls, [['query', /^update/, [7]], ['release']])
  },

  async 'A task for every request' (t, { app, calls }) {
    await app.inject('/nowhere')
    await app.backgroundTasks.idle()
    t.same(calls, [['writeAuditLog', 'GET', '/nowhere', 404]])
  },

  async 'Work without a request' (t, { app, calls }) {
    await app.backgroundTasks.idle()
    t.same(calls, [['refreshPrices']])
    t.match((await app.inject('/stats')).json(), { active: 0, completed: 1 })
  },

  async 'Progress and results' (t, { app }) {
    const { id } = (await app.inject({ method: 'POST', url: '/exports' })).json()
    await app.backgroundTasks.idle()
    t.match((await app.inject(`/exports/${id}`)).json(), { name: 'writeReport', state: 'completed', progress: 0.5 })
    t.equal((await app.inject('/exports/unknown')).statusCode, 404)
  },

  'Status routes': reportsProgress,

  async 'Watching tasks' (t, { app, calls }) {
    app.backgroundTasks.add(function archive () {})
    await app.backgroundTasks.idle()
    t.same(calls, [['count', 'task.archive.completed']])
  },

  async TypeScript (t, { app }) {
    t.same((await app.inject({ method: 'POST', url: '/images' })).json(), { state: 'waiting' })
  }
}
