import t from 'tap'
import { TestBrowser, isLive, withoutBrowser } from '../support/browser.js'
import { startExampleApp } from '../support/example-app.js'

t.setTimeout(120_000)

t.test('each button of the example page sends its request, and the dashboard shows the tasks', { skip: withoutBrowser }, async (t) => {
  const browser = new TestBrowser(t)
  const { app } = await startExampleApp(t)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const home = await browser.open(t, url, { expects: /ERR_ABORTED/ })
  const [dashboard] = await Promise.all([home.waitForEvent('popup'), home.getByRole('link', { name: 'dashboard' }).click()])
  await isLive(dashboard)

  const replies = home.getByRole('log').getByRole('listitem')
  const sent: Array<[button: string, reply: RegExp, name: string]> = [
    ['Sign up', /^POST \/signup → 201 after \d+ ms$/, 'sendWelcomeEmail'],
    ['Upload a file', /^POST \/uploads → 202 after \d+ ms$/, 'processUpload'],
    ['Order a teapot', /^POST \/orders → 201 after \d+ ms$/, 'notifyWarehouse'],
    ['Build a report', /^POST \/reports → 202 after \d+ ms$/, 'build-report'],
    ['Hang up', /^GET \/slow → hung up after \d+ ms$/, 'recordVisit'],
    ['Sign up 200 at once', /^200 x POST \/signup → 200 x 201 after \d+ ms$/, 'sendReceipt']
  ]
  const names = dashboard.getByRole('table', { name: 'By name' })
  for (const [button, reply, name] of sent) {
    await home.bringToFront()
    await home.getByRole('button', { name: button, exact: true }).click()
    await replies.first().filter({ hasText: reply }).waitFor()
    await dashboard.bringToFront()
    await names.getByRole('row', { name: new RegExp(name) }).waitFor()
  }
  await dashboard.getByRole('link', { name: 'failed 1' }).waitFor()
  t.pass('the warehouse could not be reached')
})

t.test('the dashboard of the example is for this machine only', async (t) => {
  const { app } = await startExampleApp(t)
  for (const [remoteAddress, status] of [['127.0.0.1', 200], ['::1', 200], ['10.0.0.7', 403]] as const) {
    const { statusCode } = await app.inject({ url: '/background-tasks', remoteAddress })
    t.equal(statusCode, status, remoteAddress)
  }
})
