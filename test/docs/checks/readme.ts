import { type Checks, completed } from '../../support/snippet-names.js'
import { reportsProgress, showsDashboard, tellsTheCrm, transfers } from './common.js'

export const readme: Checks = {
  'Options, and the task itself': tellsTheCrm,
  'Only after a success': transfers,
  '202, progress and result': reportsProgress,

  async 'A task that survives `kill -9`' (t, { app }) {
    const { id } = (await app.inject({ method: 'POST', url: '/orders' })).json()
    t.ok(await completed(app, id))
  },

  async 'In a test' (t, { sentTo }) {
    t.same(sentTo, ['ann@example.com'])
  },

  Dashboard: showsDashboard
}
