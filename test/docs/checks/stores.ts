import { type Checks, completed } from '../../support/snippet-names.js'
import { until } from '../../support/until.js'

export const namedTasks: Checks = {
  async 'Define, register, add' (t, { app }) {
    const response = await app.inject({ method: 'POST', url: '/thumbnails' })
    t.equal(response.statusCode, 202)
    await app.backgroundTasks.idle()
    t.match(await app.backgroundTasks.get(response.json().id), { state: 'completed', result: { bytes: 1400 } })
  },

  async Schemas (t, { app, greetings }) {
    await app.backgroundTasks.idle()
    t.same(greetings, ['hello Ann', 'hello again Ann'])
  },

  async 'A later start, and who comes first' (t, { app }) {
    const { id } = (await app.inject({ method: 'POST', url: '/reminders' })).json()
    t.match(await app.backgroundTasks.get(id), { state: 'delayed' })
    t.ok(await app.backgroundTasks.cancel(id))
  },

  async 'One task for each key' (t, { app, calls, sendInvoice }) {
    const first = app.backgroundTasks.add(sendInvoice, { to: 'eve@example.com' }, { key: 'order-17' })
    t.same((await app.inject({ method: 'POST', url: '/invoices' })).json(), { id: first.id }, 'the unfinished one')
    await app.backgroundTasks.idle()
    t.same(calls, [['sendInvoice', 'eve@example.com']])
  },

  async 'A task without its handler' (t, { app }) {
    t.equal((await app.inject({ method: 'POST', url: '/videos' })).statusCode, 202)
    await app.backgroundTasks.idle()
    t.match(app.backgroundTasks.stats(), { completed: 1 })
  },

  async 'Tasks at set times' (t, { app }) {
    const [schedule] = (await app.inject('/schedules')).json()
    t.match(schedule, { name: 'nightly-report', cron: '0 3 * * *', timezone: 'Europe/Berlin' })
    const hour = new Date(schedule.nextRunAt).toLocaleTimeString('de', { timeZone: 'Europe/Berlin' })
    t.equal(hour, '03:00:00')
  }
}

export const redisAndPostgresql: Checks = {
  async 'Set up' (t, { app, calls }) {
    const { id } = (await app.inject({ method: 'POST', url: '/invoices' })).json()
    await completed(app, id)
    t.same(calls, [['sendInvoice', 'ann@example.com']])
  },

  async 'Tasks in your own transaction' (t, { app, calls, database }) {
    t.equal((await app.inject({ method: 'POST', url: '/orders' })).statusCode, 500)
    await database.query('create table orders (customer text unique)')
    t.equal((await app.inject({ method: 'POST', url: '/orders' })).statusCode, 201)
    t.equal((await app.inject({ method: 'POST', url: '/orders' })).statusCode, 500)
    await until(() => calls.length > 0)
    await app.close()
    t.same(calls, [['sendInvoice', 'ann@example.com']])
  }
}

export const engines: Checks = {
  async 'The contract as tests' (t, { suite }) {
    t.ok(suite.length > 0)
    for (const { name, run } of suite) await t.resolves(run(), name)
  }
}

export const production: Checks = {
  async 'What is running?' (t, { app }) {
    const { tasks, counts } = (await app.inject('/admin/tasks')).json()
    t.same(tasks, [])
    t.match(counts, { process: { active: 0 } })
  },

  async 'Run a task again' (t, { app, calls, sendInvoice }) {
    const { id } = app.backgroundTasks.add(sendInvoice, { to: 'bob@example.com' })
    await app.backgroundTasks.idle()
    t.match(await app.backgroundTasks.get(id), { state: 'failed' })
    t.match((await app.inject({ method: 'POST', url: '/invoices/retry' })).json(), { retried: 1, counts: { process: { failed: 1 } } })
    await app.backgroundTasks.idle()
    t.match(await app.backgroundTasks.get(id), { state: 'completed' })
    t.same(calls, [['refused', 'bob@example.com'], ['sendInvoice', 'bob@example.com']])
  }
}

export const testing: Checks = {
  async 'Wait for the tasks' (t, { sentTo }) {
    t.same(sentTo, ['ann@example.com'])
  },

  async 'Capture the tasks' (t, { app, sentTo }) {
    t.same(sentTo, ['ann@example.com'])
    t.equal(app.backgroundTasks.stats().failed, 0)
  }
}
