import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import t from 'tap'
import { defineTask } from '../../index.js'
import { isLive, TestBrowser, withoutBrowser } from '../support/browser.js'
import { createDashboard } from '../support/dashboard-app.js'
import { createDistantEngine } from '../support/engine.js'
import { freePort } from '../support/server-process.js'
import { until } from '../support/until.js'

t.setTimeout(180_000)
const browser = new TestBrowser(t)

const status = (page: Page, text: string | RegExp): Promise<void> => page.getByRole('status').getByText(text).waitFor()

/** How many live streams the app has open. */
function countStreams (): { open: () => number, hook: (app: FastifyInstance) => void } {
  const streams = new Set<unknown>()
  return {
    open: () => streams.size,
    hook (app) {
      app.addHook('onRequest', async (request, reply) => {
        if (!request.url.includes('/live?')) return
        streams.add(reply)
        reply.raw.once('close', () => { streams.delete(reply) })
      })
    }
  }
}

t.test('a tab has one stream, whatever is looked at, and none while it is hidden', { skip: withoutBrowser }, async (t) => {
  const { open, hook } = countStreams()
  const { app, url } = await createDashboard(t, { extend: hook })
  const page = await browser.open(t, url)
  await isLive(page)
  t.equal(open(), 1)
  for (const name of ['Tasks', 'Overview', 'Tasks']) await page.getByRole('link', { name, exact: true }).click()
  await page.getByRole('link', { name: 'failed 0' }).click()
  await isLive(page)
  await until(() => open() === 1)

  const setHidden = (isHidden: boolean): Promise<void> => page.evaluate((isHidden) => {
    Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true })
    Object.defineProperty(document, 'visibilityState', { value: isHidden ? 'hidden' : 'visible', configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  }, isHidden)
  await setHidden(true)
  await status(page, 'paused: this tab is hidden')
  await until(() => open() === 0)
  app.backgroundTasks.add({ name: 'unseen' }, () => { throw new Error('no') })
  await setHidden(false)
  await isLive(page)
  await page.getByRole('link', { name: 'failed 1' }).waitFor()
  t.equal(open(), 1)
})

t.test('three open tabs do not hold close up, and go on when the app is back', { skip: withoutBrowser }, async (t) => {
  const port = await freePort()
  // As Fastify closes without further ado: it would wait for a stream that stays open.
  const server = { forceCloseConnections: 'idle' } as const
  const first = await createDashboard(t, { port, server })
  // A tab may ask again while the app closes, which Fastify answers with 503.
  const expects = /503|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_RESET/
  const url = `http://127.0.0.1:${port}/background-tasks`
  const pages = await Promise.all(['#/', '#/tasks/failed', '#/task/nothing'].map((hash) => browser.open(t, `${url}${hash}`, { expects })))
  await Promise.all(pages.map(isLive))
  const before = performance.now()
  await first.app.close()
  t.ok(performance.now() - before < 1000, 'close waits for no stream')
  await Promise.all(pages.map((page) => status(page, /^not live: /)))
  const second = await createDashboard(t, { port })
  await Promise.all(pages.map(isLive))
  second.app.backgroundTasks.add({ name: 'after' }, () => { throw new Error('no') })
  await pages[0]?.getByRole('link', { name: 'failed 1' }).waitFor()
})

t.test('a refused stream is said in words, and tried again', { skip: withoutBrowser }, async (t) => {
  const { url } = await createDashboard(t)
  const page = await browser.open(t, url, { expects: /503|401|403|500/ })
  await isLive(page)
  const answer = async (response: { status: number, contentType?: string, body?: string }): Promise<void> => {
    await page.unroute('**/live?*')
    await page.route('**/live?*', (route) => route.fulfill(response))
    await page.reload()
  }
  await answer({ status: 503, contentType: 'application/json', body: '{"message":"too many streams are open"}' })
  await status(page, 'not live: too many streams are open (503), trying again')
  await page.unroute('**/live?*')
  await isLive(page)

  await answer({ status: 500 })
  await status(page, 'not live: the app answers with 500, trying again')
  await answer({ status: 200, contentType: 'text/html', body: '<form>' })
  await status(page, 'not live: another page has answered. Are you signed in?')
  await answer({ status: 401 })
  await status(page, 'not live: you are not signed in (401)')
  await answer({ status: 403 })
  await status(page, 'not live: you may not see this (403)')
  await page.unroute('**/live?*')
  await page.getByRole('button', { name: 'Try again' }).click()
  await isLive(page)
})

t.test('a page of another build loads itself again, once', { skip: withoutBrowser }, async (t) => {
  const { url } = await createDashboard(t)
  const page = await browser.open(t, url)
  await isLive(page)
  let loads = 0
  page.on('load', () => { loads++ })
  const view = (script: string): string =>
    `event: view\ndata: ${JSON.stringify({ now: 1, entries: { page: { actions: false, since: 1, script } } })}\n\n`
  await page.route('**/live?*', (route) => route.fulfill({ status: 200, contentType: 'text/event-stream', body: view('app-other.js') }))
  await page.getByRole('link', { name: 'Tasks', exact: true }).click()
  await until(() => loads === 1)
  await status(page, /connection has ended/)
  await status(page, /connection has ended/)
  t.equal(loads, 1, 'the same build is not loaded again')
})

t.test('a store that does not answer is an alert, until it is back', { skip: withoutBrowser }, async (t) => {
  let isDown = false
  const check = async (): Promise<void> => { if (isDown) throw new Error('connect ECONNREFUSED 127.0.0.1:6379') }
  const engine = createDistantEngine((inner) => ({
    counts: () => check().then(() => inner.counts!()),
    list: (query) => check().then(() => inner.list!(query))
  }))
  const work = defineTask({ name: 'work', payload: {}, async handler () {} })
  const { app, url } = await createDashboard(t, { plugin: { engine, tasks: [work] } })
  const page = await browser.open(t, url)
  await isLive(page)
  t.equal(await page.getByRole('alert').count(), 0)
  isDown = true
  app.backgroundTasks.add({ name: 'news' }, () => {})
  await page.getByRole('alert').getByText(/^Since [\d:]+: .+/).waitFor()
  await page.getByRole('alert').getByRole('heading', { level: 1, name: 'The store does not answer' }).waitFor()
  await page.getByRole('link', { name: 'Tasks', exact: true }).click()
  await page.getByRole('alert').getByText('The store does not answer.').waitFor()
  isDown = false
  await page.getByRole('alert').waitFor({ state: 'detached' })
})
