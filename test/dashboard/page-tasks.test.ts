import t from 'tap'
import { defineTask, Type } from '../../index.js'
import { isLive, TestBrowser, textsOf, withoutBrowser } from '../support/browser.js'
import { createDashboard, endlessTask } from '../support/dashboard-app.js'
import { createLatch } from '../support/latch.js'

t.setTimeout(180_000)
const browser = new TestBrowser(t)

t.test('failed tasks are run again and running ones are cancelled, from the list and from the view of the task', { skip: withoutBrowser }, async (t) => {
  let isBroken = true
  const invoice = defineTask({
    name: 'invoice',
    payload: Type.Object({ order: Type.Integer() }),
    result: Type.Object({ pages: Type.Integer() }),
    async handler () {
      if (isBroken) throw Object.assign(new Error('card declined'), { code: 'DECLINED' })
      return { pages: 3 }
    }
  })
  const report = endlessTask('report')
  const { app, url, origin } = await createDashboard(t, {
    plugin: { tasks: [invoice, report] },
    dashboard: { actions: true, payload: true },
    extend (app) {
      app.post('/orders', async (request, reply) => {
        request.backgroundTasks.add(invoice, { order: 7 })
        return reply.code(202).send({})
      })
    }
  })
  const page = await browser.open(t, url)
  await isLive(page)
  await fetch(`${origin}/orders`, { method: 'POST' })
  await page.getByRole('link', { name: 'failed 1', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: 'Tasks' }).waitFor()
  t.equal(new URL(page.url()).hash, '#/tasks/failed')
  const table = page.getByRole('table', { name: 'Tasks', exact: true })
  t.match(await textsOf(table.getByRole('row', { name: 'invoice' })), [/^invoice request req-\w+ (now|\d+ s ago) [\d.]+ ms 1 card declined Retry$/])
  for (const state of ['waiting', 'active', 'delayed', 'completed', 'failed', 'cancelled', 'skipped']) {
    t.equal(await page.getByRole('navigation', { name: 'States' }).getByRole('link', { name: state }).count(), 1, state)
  }

  isBroken = false
  await table.getByRole('button', { name: 'Retry', exact: true }).click()
  await page.getByText('invoice runs again.').waitFor()
  await page.getByRole('link', { name: 'completed 1', exact: true }).waitFor()
  await table.getByRole('row', { name: 'invoice' }).waitFor({ state: 'detached' })

  await page.getByRole('link', { name: 'completed', exact: false }).click()
  await table.getByRole('link', { name: 'invoice' }).click()
  await page.getByRole('heading', { level: 1, name: 'invoice completed' }).waitFor()
  t.equal(await page.getByRole('group', { name: 'Result' }).innerText(), JSON.stringify({ pages: 3 }, null, 2))
  t.equal(await page.getByRole('group', { name: 'Payload' }).innerText(), JSON.stringify({ order: 7 }, null, 2))
  t.equal(await page.getByRole('button', { name: /Retry|Cancel/ }).count(), 0, 'what has completed is not run again')
  await page.getByRole('link', { name: 'POST /orders' }).click()
  await page.getByRole('region', { name: 'Time line' }).getByRole('img', { name: /^invoice, attempt 1, completed, \d+ ms to \d+ ms$/ }).waitFor()

  const { id } = app.backgroundTasks.add(report, {})
  await page.getByRole('searchbox', { name: 'Find by id', exact: true }).fill(id)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'report active' }).waitFor()
  t.equal(await page.getByRole('progressbar').getAttribute('value'), '0.42')
  await page.getByRole('button', { name: 'Cancel', exact: true }).click()
  await page.getByText('report is cancelled.').waitFor()
  await page.getByRole('heading', { level: 1, name: 'report cancelled' }).waitFor()
  await page.getByText('cancelled from the dashboard').or(page.getByText('FST_BGT_CANCELLED')).first().waitFor()
  await page.getByRole('button', { name: 'Retry', exact: true }).click()
  await page.getByRole('heading', { level: 1, name: 'report active' }).waitFor()

  await page.getByRole('link', { name: 'Tasks', exact: true }).click()
  await table.getByRole('button', { name: 'Cancel', exact: true }).click()
  await table.getByRole('row', { name: 'report' }).waitFor({ state: 'detached' })
  t.match(await app.backgroundTasks.get(id), { state: 'cancelled' })
})

t.test('tasks are found page by page, by name and by id, and requests by their id', { skip: withoutBrowser }, async (t) => {
  const resize = defineTask({ name: 'resize', payload: {}, async handler () {} })
  const sparse = defineTask({ name: 'sparse', payload: {}, async handler () {} })
  const { app, url, origin } = await createDashboard(t, {
    plugin: { tasks: [resize, sparse] },
    server: { genReqId: () => 'the-one' },
    extend (app) {
      app.get('/one', async (request) => {
        request.backgroundTasks.add(sparse, {})
        return 'ok'
      })
    }
  })
  const page = await browser.open(t, `${url}#/tasks/completed`)
  await isLive(page)
  await page.getByText('No completed task is kept.').waitFor()
  for (let index = 0; index < 60; index++) app.backgroundTasks.add(resize, {})
  await fetch(`${origin}/one`)
  await app.backgroundTasks.idle()

  const rows = page.getByRole('table', { name: 'Tasks' }).getByRole('row', { name: /resize|sparse/ })
  await rows.nth(49).waitFor()
  t.equal(await rows.count(), 50)
  const older = page.getByRole('button', { name: 'Older', exact: true })
  const newer = page.getByRole('button', { name: 'Newer', exact: true })
  t.ok(await newer.isDisabled())
  await older.click()
  await rows.nth(10).waitFor()
  t.equal(await rows.count(), 11)
  t.ok(await older.isDisabled())
  await newer.click()
  await rows.nth(49).waitFor()

  // Where the pointer rests on the list, its rows stay: those of another list must not.
  await rows.nth(3).hover()
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('sparse')
  // The old rows go before the new one comes.
  await rows.nth(1).waitFor({ state: 'detached' })
  await rows.first().waitFor()
  t.match(await textsOf(rows), [/^sparse/])
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('spa')
  await page.getByText('No completed task has the name spa.').waitFor()

  const search = page.getByRole('searchbox', { name: 'Find by id' })
  await search.fill('no-such-id')
  await search.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'Nothing has this id' }).waitFor()
  await search.fill('the-one')
  await search.press('Enter')
  await page.getByRole('heading', { level: 1, name: 'GET /one 200' }).waitFor()
  await page.goBack()
  await page.getByRole('heading', { level: 1, name: 'Nothing has this id' }).waitFor()
  await page.goBack()
  await page.getByText('No completed task has the name spa.').waitFor()
})

t.test('rows keep their places under the pointer, and new ones wait for a click', { skip: withoutBrowser }, async (t) => {
  const gate = createLatch()
  const { url, origin } = await createDashboard(t, {
    extend (app) {
      for (const route of ['/:n', '/of/all/the/newest']) {
        app.get(route, async (request) => {
          request.backgroundTasks.add({ name: 'wait' }, () => gate.promise)
          return 'ok'
        })
      }
    }
  })
  const page = await browser.open(t, url)
  await isLive(page)
  const requests = page.getByRole('region', { name: 'Requests' })
  const links = requests.getByRole('link', { name: 'GET /:n' })
  for (let index = 0; index < 30; index++) await fetch(`${origin}/${index}`)
  await links.nth(29).waitFor()
  t.equal(await requests.getByRole('button').count(), 0, 'at the top new rows come at once')

  await links.nth(2).hover()
  const before = await links.nth(2).boundingBox()
  for (let index = 0; index < 3; index++) await fetch(`${origin}/${index}`)
  await requests.getByRole('button', { name: '3 new', exact: true }).waitFor()
  t.same(await links.nth(2).boundingBox(), before, 'the row is where it was')
  t.equal(await links.count(), 30)
  gate.resolve()
  await requests.getByText('1 task completed').nth(29).waitFor()
  t.same(await links.nth(2).boundingBox(), before, 'what changes in a row does not move it')

  await page.mouse.move(5, 5)
  await links.nth(32).waitFor()
  await page.evaluate(() => { scrollTo(0, document.body.scrollHeight) })
  await fetch(`${origin}/1`)
  await requests.getByRole('button', { name: '1 new', exact: true }).click()
  await links.nth(33).waitFor()
  t.ok(((await requests.boundingBox())?.y ?? -1) >= 0, 'the list is at its top again')
  await page.mouse.move(5, 5)
  await page.evaluate(() => { scrollTo(0, 0) })
  await fetch(`${origin}/of/all/the/newest`)
  await requests.getByRole('link', { name: 'GET /of/all/the/newest' }).waitFor()
  t.match(await textsOf(requests.getByRole('link').first()), ['GET /of/all/the/newest'])
})

t.test('a list that comes to be under a pointer that rests is not held', { skip: withoutBrowser }, async (t) => {
  const { url, origin } = await createDashboard(t, {
    extend (app) {
      app.get('/:n', async (request) => {
        request.backgroundTasks.add({ name: 'work' }, () => {})
        return 'ok'
      })
    }
  })
  const page = await browser.open(t, url)
  await isLive(page)
  const requests = page.getByRole('region', { name: 'Requests' })
  const place = await requests.getByText('No request has added a task').boundingBox()
  if (place === null) throw new Error('the empty list says so')
  const [x, y] = [place.x + 20, place.y + place.height / 2]
  await page.mouse.move(x, y)
  for (let count = 1; count <= 12; count++) {
    await fetch(`${origin}/${count}`)
    await requests.getByRole('link', { name: 'GET /:n' }).nth(count - 1).waitFor()
  }
  const isOverList = await page.evaluate(([x, y]) => document.elementFromPoint(x, y)?.closest('[data-list]') !== null, [x, y] as const)
  t.ok(isOverList, 'the pointer is over the list now')
  t.equal(await requests.getByRole('button').count(), 0, 'no row waits for a click')
})
