import type { Page } from 'playwright-core'
import t from 'tap'
import { isLive, TestBrowser, textsOf, withoutBrowser } from '../support/browser.js'
import { createDashboard } from '../support/dashboard-app.js'
import { createLatch } from '../support/latch.js'
import { block } from '../support/per-turn.js'

t.setTimeout(180_000)
const browser = new TestBrowser(t)
const post = (url: string): Promise<Response> => fetch(url, { method: 'POST' })

t.test('the overview shows what happens while it happens', { skip: withoutBrowser }, async (t) => {
  const gate = createLatch()
  const { url, origin } = await createDashboard(t, {
    extend (app) {
      app.post('/signup/:plan', async (request, reply) => {
        request.backgroundTasks.add(async function sendMail () { await gate.promise })
        request.backgroundTasks.add(async function crm () { throw new Error('no answer') })
        return reply.code(201).send({})
      })
    }
  })
  const page = await browser.open(t, url)
  await isLive(page)
  t.equal(await page.title(), 'Background tasks')
  t.equal(await page.locator('html').getAttribute('lang'), 'en')
  await page.getByRole('heading', { level: 1, name: 'All is well' }).waitFor()
  await page.getByText('No request has added a task').waitFor()

  const names = page.getByRole('table', { name: 'By name', exact: true })
  const requests = page.getByRole('region', { name: 'Requests', exact: true })
  await post(`${origin}/signup/gold?token=secret`)
  await page.getByRole('link', { name: 'active 1', exact: true }).waitFor()
  await page.getByRole('link', { name: 'waiting 1', exact: true }).waitFor()
  t.match(await textsOf(names.getByRole('row', { name: 'sendMail' })), [/^sendMail function, here 0 1 0 0 0 0 0 – –$/])
  t.match(await textsOf(requests.getByRole('listitem')), [/^POST \/signup\/:plan 201 runs 2 tasks: 1 waiting, 1 active (now|\d+ s ago)$/])

  gate.resolve()
  await page.getByRole('link', { name: 'failed 1', exact: true }).waitFor()
  await page.getByRole('link', { name: 'completed 1', exact: true }).waitFor()
  await page.getByRole('heading', { level: 1, name: '1 failed' }).waitFor()
  await page.getByText(/The last one (now|\d+ s ago): crm, no answer/).waitFor()
  t.match(await textsOf(names.getByRole('row', { name: 'crm' })), [/^crm function, here 0 0 0 0 1 0 0 [\d.]+ ms [\d.]+ ms (now|\d+ s ago) no answer$/])
  t.equal(await names.getByRole('row').count(), 3, 'a row each, below the headings')
  await page.getByRole('img', { name: /^Tasks completed per second in the last minute: now [\d.]+, at most \d+$/ }).waitFor()
  await page.getByRole('img', { name: /^Event-loop delay in the last minute: now .+, at most .+$/ }).waitFor()
  await page.getByText(/^Recorded since/).waitFor()
  t.notMatch(await page.content(), /secret|gold/)
})

/** The bars of a task: what its name says of each. */
async function barsOf (page: Page, name: string): Promise<Array<{ what: string, from: number, to: number }>> {
  const line = page.getByRole('region', { name: 'Time line', exact: true })
  const labels = await line.getByRole('img', { name: `${name}, ` }).evaluateAll((bars) => bars.map((bar) => bar.getAttribute('aria-label') ?? ''))
  return labels.map((label) => {
    const [, what = '', from, to] = /, (.+), (\d+) ms to (\d+) ms$/.exec(label) ?? []
    return { what, from: Number(from), to: Number(to) }
  })
}

t.test('a request has its tasks on a time line: order, attempts, delays, and what was skipped and why', { skip: withoutBrowser }, async (t) => {
  const { app, url, origin } = await createDashboard(t, {
    extend (app) {
      app.post('/signup', async (request, reply) => {
        const tasks = request.backgroundTasks
        tasks.add({ name: 'first' }, () => { block(30) })
        tasks.add({ name: 'crm', retry: { retries: 1, delay: 60, jitter: false } }, async () => { throw new Error('no answer') })
        tasks.add({ name: 'apologize', when: 'error' }, () => {})
        tasks.add({ name: 'last' }, () => { block(5) })
        block(25)
        return reply.code(201).send({})
      })
    }
  })
  const page = await browser.open(t, `${url}/`)
  await isLive(page)
  await post(`${origin}/signup`)
  await app.backgroundTasks.idle()
  await page.getByRole('region', { name: 'Requests' }).getByRole('link', { name: 'POST /signup' }).click()
  await page.getByRole('heading', { level: 1, name: 'POST /signup 201' }).waitFor()
  t.match(page.url(), /#\/request\/\d+$/)
  const line = page.getByRole('region', { name: 'Time line', exact: true })
  const responseAt = Number(/^response sent, 201 after (\d+) ms$/.exec((await textsOf(line.getByText(/^response sent/)))[0] ?? '')?.[1])
  t.ok(responseAt >= 20, 'the end of the response is marked')

  const [first, crm, last] = [await barsOf(page, 'first'), await barsOf(page, 'crm'), await barsOf(page, 'last')]
  t.same(first.map(({ what }) => what), ['waiting', 'attempt 1, completed'])
  t.same(crm.map(({ what }) => what), ['waiting', 'attempt 1, failed', 'delayed', 'attempt 2, failed'])
  t.same(last.map(({ what }) => what), ['waiting', 'attempt 1, completed'])
  const attempts = [...first, ...crm, ...last].filter(({ what }) => what.startsWith('attempt'))
  t.ok(attempts.every(({ from }) => from >= responseAt - 1), 'no function runs before the end of the response')
  t.ok(attempts.every(({ from }, index) => index === 0 || from >= (attempts[index - 1]?.to ?? 0) - 1), 'they run one after the other')
  t.ok((crm[2]?.to ?? 0) - (crm[2]?.from ?? 0) >= 58, 'the delay before the retry is as long as it was')
  t.same((await barsOf(page, 'apologize')).map(({ what }) => what), ['waiting'])
  await line.getByText('when: error, but the response was 201').waitFor()
  await line.getByText('no answer').waitFor()
  t.match(await textsOf(line.getByRole('listitem')), [
    /^first function .*completed at \d+ ms$/, /^crm function .*failed at \d+ ms no answer$/, /^apologize function .*skipped at \d+ ms/, /^last function .*completed at \d+ ms$/
  ])
})
