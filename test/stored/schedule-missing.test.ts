import { register } from 'node:module'
import t from 'tap'
import { createApp } from '../support/app.js'
import { named } from '../support/stored-app.js'

register('../fixtures/hooks/missing-package.js', { parentURL: import.meta.url, data: 'croner' })

t.test('without croner ready names a task with a schedule and says what to install', async (t) => {
  const app = await createApp(t, { tasks: [named(() => {}), named(() => {}, { name: 'nightly', schedule: { cron: '0 3 * * *' } })] })
  await t.rejects(async () => { await app.ready() }, {
    code: 'FST_BGT_INVALID_OPTIONS',
    message: 'option "schedule" of task "nightly" needs the package croner: npm install croner',
    cause: { code: 'ERR_MODULE_NOT_FOUND' }
  })
  await app.close()
})

t.test('without croner an app without schedules is ready', async (t) => {
  const scheduled = named(() => {}, { name: 'not-registered', schedule: { cron: '0 3 * * *' } })
  const app = await createApp(t, { tasks: [named(() => {})] })
  await app.ready()
  const task = app.backgroundTasks.add(scheduled, {})
  await app.backgroundTasks.idle()
  t.equal(task.state, 'completed')
})
