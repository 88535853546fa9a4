import t from 'tap'
import { defineTask, Type } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { createApp } from '../support/app.js'
import { isLive, TestBrowser, withoutBrowser } from '../support/browser.js'
import { createDashboard } from '../support/dashboard-app.js'
import { createLatch } from '../support/latch.js'
import { RedisServer, withoutRedis } from '../support/redis.js'

t.setTimeout(180_000)
const browser = new TestBrowser(t)

t.test('a web process shows the tasks of its worker, and that Redis is gone and back', { skip: withoutRedis || withoutBrowser }, async (t) => {
  const redis = await RedisServer.start('--appendonly', 'yes')
  t.teardown(() => redis.stop())
  const gate = createLatch()
  const invoice = defineTask({
    name: 'invoice',
    payload: Type.Object({}),
    async handler (_, task) {
      task.progress(0.5)
      await gate.promise
      throw new Error('card declined')
    }
  })
  const engine = (): ReturnType<typeof bullmqEngine> => bullmqEngine({ connection: redis.connection })
  const worker = await createApp(t, { engine: engine(), tasks: [invoice] })
  await worker.ready()
  const { url, origin } = await createDashboard(t, {
    plugin: { engine: engine(), tasks: [invoice], worker: false },
    dashboard: { actions: true },
    extend (app) {
      app.post('/orders', async (request, reply) => {
        request.backgroundTasks.add(invoice, {})
        return reply.code(202).send({})
      })
    }
  })
  const page = await browser.open(t, url)
  await isLive(page)
  t.equal((await fetch(`${origin}/orders`, { method: 'POST' })).status, 202)
  await page.getByRole('link', { name: 'active 1', exact: true }).waitFor()
  await page.getByRole('region', { name: 'Requests' }).getByRole('link', { name: 'POST /orders' }).click()
  const line = page.getByRole('region', { name: 'Time line' })
  await line.getByText('runs in another process').waitFor()
  await line.getByRole('img', { name: /^invoice, attempt 1, active, since \d+ ms$/ }).waitFor()
  await line.getByRole('link', { name: 'invoice' }).click()
  await page.getByRole('heading', { level: 1, name: 'invoice active' }).waitFor()
  t.equal(await page.getByRole('progressbar').getAttribute('value'), '0.5')
  gate.resolve()
  await page.getByRole('heading', { level: 1, name: 'invoice failed' }).waitFor()
  await page.getByText('card declined').first().waitFor()
  await page.goBack()
  await line.getByRole('img', { name: /^invoice, attempt 1, failed, \d+ ms to \d+ ms$/ }).waitFor()

  await page.getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('link', { name: 'failed 1', exact: true }).click()
  await page.getByRole('table', { name: 'Tasks' }).getByRole('row', { name: /^invoice.*card declined Retry$/ }).waitFor()
  await redis.kill()
  await page.getByRole('alert').getByText('The store does not answer.').waitFor()
  await page.getByRole('status').getByText('live', { exact: true }).waitFor()
  await redis.start()
  await page.getByRole('alert').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Retry' }).click()
  await page.getByText('invoice runs again.').waitFor()
})
