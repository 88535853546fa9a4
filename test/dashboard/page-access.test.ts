import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { defineTask, Type } from '../../index.js'
import { isLive, TestBrowser, withoutBrowser } from '../support/browser.js'
import { createDashboard, endlessTask } from '../support/dashboard-app.js'
import { block } from '../support/per-turn.js'

t.setTimeout(240_000)
const browser = new TestBrowser(t)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Violation {
  id: string
  nodes: Array<{ html: string, failureSummary: string }>
}

/** An app with something to see in every view. */
async function createBusyApp (t: Test): Promise<{ url: string, hashes: string[] }> {
  const invoice = defineTask({
    name: 'send-invoice',
    payload: Type.Object({ order: Type.Integer() }),
    async handler () { throw new Error('card declined: insufficient funds on the card that ends in 4242, which was asked three times today') }
  })
  const report = endlessTask('build-report-with-a-name-that-is-longer-than-most')
  const { app, url, origin } = await createDashboard(t, {
    plugin: { tasks: [invoice, report] },
    dashboard: { actions: true, payload: true },
    extend (app) {
      app.post('/orders/:id/with/a/route/that/is/long', async (request, reply) => {
        const tasks = request.backgroundTasks
        tasks.add(async function sendReceipt () {})
        tasks.add({ retry: { retries: 1, delay: 10 } }, async function crm () { throw new Error('no') })
        tasks.add({ when: 'error' }, function apologize () {})
        tasks.add(invoice, { order: 7 })
        return reply.code(202).send({})
      })
    }
  })
  const page = await browser.open(t, url)
  await isLive(page)
  for (let index = 0; index < 3; index++) await fetch(`${origin}/orders/1/with/a/route/that/is/long`, { method: 'POST' })
  await app.backgroundTasks.idle()
  const [failed] = (await app.backgroundTasks.list({ state: 'failed', name: 'send-invoice' })).tasks
  const running = app.backgroundTasks.add(report, {})
  const link = page.getByRole('region', { name: 'Requests' }).getByRole('link').first()
  await link.waitFor()
  const request = await link.getAttribute('href') ?? ''
  await page.close()
  const hashes = ['#/', '#/tasks/failed', '#/tasks/active', '#/tasks/waiting', `#/task/${failed?.id}`, `#/task/${running.id}`, '#/task/none', request]
  return { url, hashes }
}

/** What axe has to say against the page. */
async function violationsOf (page: Page): Promise<string[]> {
  const violations = await page.evaluate('axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)') as Violation[]
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))
}

/** How far the page scrolls sideways, in px. */
const excessOf = (page: Page): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

t.test('axe finds nothing in any view, light and dark, wide and narrow, and no view scrolls sideways', { skip: withoutBrowser }, async (t) => {
  const { url, hashes } = await createBusyApp(t)
  for (const [colorScheme, width] of [['light', 1280], ['dark', 1280], ['dark', 360]] as const) {
    // The policy of the page would not let axe in, and has tests of its own.
    const page = await browser.open(t, url, { colorScheme, viewport: { width, height: 800 }, bypassCSP: true })
    await page.evaluate(axe)
    for (const hash of hashes) {
      await page.goto(`${url}${hash}`)
      await isLive(page)
      await page.getByRole('heading', { level: 1 }).waitFor()
      t.same(await violationsOf(page), [], `${colorScheme}, ${width} px: ${hash}`)
      t.equal(await excessOf(page), 0, `${width} px: ${hash} fits`)
    }
    await page.close()
  }
})

t.test('the words of the response stay in view wherever its line stands', { skip: withoutBrowser }, async (t) => {
  const shares = [[20, 200], [150, 150], [240, 100], [300, 20]] as const
  const { app, url, origin } = await createDashboard(t, {
    extend (app) {
      for (const [handler, task] of shares) {
        app.get(`/${handler}`, async (request) => {
          request.backgroundTasks.add(function work () { block(task) })
          block(handler)
          return {}
        })
      }
    }
  })
  const page = await browser.open(t, url, { viewport: { width: 360, height: 800 } })
  await isLive(page)
  for (const [handler] of shares) await fetch(`${origin}/${handler}`)
  await app.backgroundTasks.idle()
  for (const [handler] of shares) {
    await page.goto(url)
    await page.getByRole('region', { name: 'Requests' }).getByRole('link', { name: `GET /${handler}`, exact: true }).click()
    const words = await page.getByText(/^response sent, 200/).boundingBox()
    const line = await page.getByRole('region', { name: 'Time line', exact: true }).getByRole('list').first().boundingBox()
    if (words === null || line === null) throw new Error('they are to be seen')
    t.ok(words.x >= line.x && words.x + words.width <= line.x + line.width, `${handler} ms: ${JSON.stringify({ words, line })}`)
    t.equal(await excessOf(page), 0, `${handler} ms: nothing scrolls sideways`)
  }
})

const focused = (page: Page): Promise<string> => page.evaluate(() => {
  const element = document.activeElement as HTMLElement
  const { outlineStyle } = getComputedStyle(element)
  const after = getComputedStyle(element, '::after').outlineStyle
  const isSeen = outlineStyle !== 'none' || after !== 'none' || element.matches('h1')
  return `${element.localName} ${element.getAttribute('aria-label') ?? element.innerText.replace(/\s+/g, ' ').trim()}${isSeen ? '' : ' (unseen)'}`
})

t.test('everything is reached by keyboard, with the focus in sight', { skip: withoutBrowser }, async (t) => {
  const { url } = await createBusyApp(t)
  const page = await browser.open(t, url)
  await isLive(page)
  const press = async (key: string): Promise<string> => {
    await page.keyboard.press(key)
    return await focused(page)
  }
  t.equal(await press('Tab'), 'a Skip to the content')
  t.match(await press('Enter'), /^h1 6 failed$/)
  t.match(await press('Tab'), /^a waiting \d+$/)
  for (const state of ['active', 'delayed', 'failed']) t.match(await press('Tab'), new RegExp(`^a ${state} \\d+$`))
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Tasks' }).waitFor()
  t.equal(await focused(page), 'h1 Tasks', 'the heading of the new view has the focus')
  for (const state of ['waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled', 'skipped']) t.match(await press('Tab'), new RegExp(`^a ${state} \\d+$`))
  await page.keyboard.press('Tab')
  await page.keyboard.type('send-invoice')
  await page.keyboard.press('Enter')
  await page.getByRole('row', { name: 'crm' }).first().waitFor({ state: 'detached' })
  await page.getByRole('row', { name: 'send-invoice' }).first().waitFor()
  t.equal(await press('Tab'), 'a send-invoice')
  t.equal(await press('Tab'), 'button Retry')
  await page.keyboard.press('Enter')
  await page.getByText('send-invoice runs again.').waitFor()

  await page.goto(url)
  await isLive(page)
  for (const name of ['Skip to the content', 'Overview', 'Tasks']) t.equal(await press('Tab'), `a ${name}`)
  t.equal(await press('Tab'), 'input Find by id')
  await page.getByRole('region', { name: 'Requests' }).getByRole('link').first().focus()
  await page.keyboard.press('Enter')
  await page.getByRole('region', { name: 'Time line' }).waitFor()
  t.match(await focused(page), /^h1 POST \/orders\/:id/)
})
