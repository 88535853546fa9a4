import http from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import compress from '@fastify/compress'
import helmet from '@fastify/helmet'
import t, { type Test } from 'tap'
import { defineTask } from '../../index.js'
import { isLive, TestBrowser, textsOf, withoutBrowser } from '../support/browser.js'
import { createDashboard } from '../support/dashboard-app.js'

t.setTimeout(180_000)
const browser = new TestBrowser(t)

const script = '<script>globalThis.hacked = true</script>'
const image = '<img src=x onerror="globalThis.hacked = true">'

t.test('names, errors, payloads, keys, progress and ids are text, whatever they hold', { skip: withoutBrowser }, async (t) => {
  const bad = defineTask({
    name: image,
    payload: {},
    async handler (_, task) {
      task.progress({ step: image })
      throw Object.assign(new Error(script), { code: image })
    }
  })
  const { app, url, origin } = await createDashboard(t, {
    plugin: { tasks: [bad] },
    dashboard: { actions: true, payload: true },
    server: { genReqId: () => script },
    extend (app) {
      app.get('/one', async (request) => {
        request.backgroundTasks.add(bad, { text: script }, { key: image })
        return 'ok'
      })
    }
  })
  const page = await browser.open(t, url)
  await isLive(page)
  await fetch(`${origin}/one`)
  await app.backgroundTasks.idle()
  await page.getByText(`: ${image}, ${script}`).waitFor()
  t.match(await textsOf(page.getByRole('table', { name: 'By name' }).getByRole('rowheader')), [image])
  await page.getByRole('link', { name: 'failed 1' }).click()
  await page.getByRole('table', { name: 'Tasks' }).getByText(script, { exact: true }).waitFor()
  await page.getByRole('link', { name: image }).click()
  await page.getByRole('heading', { level: 1, name: image }).waitFor()
  for (const text of [`"text": "${script}"`, `"step": "${image.replaceAll('"', '\\"')}"`, `${image} ${script}`]) await page.getByText(text).first().waitFor()
  await page.getByRole('link', { name: 'GET /one' }).click()
  await page.getByRole('region', { name: 'Time line' }).getByText(script, { exact: true }).waitFor()
  for (const hash of [`#/task/${encodeURIComponent(image)}`, `#/tasks/failed?name=${encodeURIComponent(image)}`, `#/request/${image}`, `#/tasks/${script}`, '#/task/%', '#/nothing']) {
    await page.goto(`${url}${hash}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
  }
  t.equal(await page.evaluate('globalThis.hacked'), undefined)
})

/** A proxy that takes the first folder of each path away, as many do. */
async function startProxy (t: Test, target: string): Promise<string> {
  const proxy = http.createServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '', 'http://proxy')
    const path = pathname.replace(/^\/[^/]+/, '') || '/'
    const forwarded = http.request(`${target}${path}${search}`, { method: request.method, headers: request.headers, agent: false }, (reply) => {
      response.writeHead(reply.statusCode ?? 0, reply.headers)
      response.flushHeaders()
      reply.pipe(response)
    })
    forwarded.on('error', () => { response.destroy() })
    response.on('close', () => { forwarded.destroy() })
    request.pipe(forwarded)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => {
    proxy.closeAllConnections()
    proxy.close()
  })
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/inside`
}

t.test('any prefix works: at the root, nested, with or without a slash, and behind a proxy that takes a folder away', { skip: withoutBrowser }, async (t) => {
  for (const prefix of ['/', '/a/b/tasks']) {
    const failing = defineTask({ name: 'failing', payload: {}, async handler () { throw new Error('no') } })
    const { app, origin } = await createDashboard(t, { plugin: { tasks: [failing] }, dashboard: { prefix, actions: true } })
    const proxy = await startProxy(t, origin)
    const path = prefix === '/' ? '' : prefix
    app.backgroundTasks.add(failing, {})
    // At the root the two are one.
    const urls = path === '' ? [`${origin}/`, `${proxy}`] : [`${origin}${path}/`, `${origin}${path}`, `${proxy}${path}/`, `${proxy}${path}`]
    for (const url of urls) {
      const page = await browser.open(t, `${url}#/tasks/failed`)
      await isLive(page)
      await page.getByRole('button', { name: 'Retry' }).click()
      await page.getByText('failing runs again.').waitFor()
      await app.backgroundTasks.idle()
      await page.close()
    }
  }
})

t.test('the page works beside @fastify/helmet and @fastify/compress with their defaults', { skip: withoutBrowser }, async (t) => {
  const { url, origin } = await createDashboard(t, {
    async extend (app) {
      await app.register(helmet)
      await app.register(compress)
      app.get('/one', async (request) => {
        request.backgroundTasks.add(function hello () {})
        return 'ok'
      })
    }
  })
  const page = await browser.open(t, url)
  await isLive(page)
  await fetch(`${origin}/one`)
  await page.getByRole('region', { name: 'Requests' }).getByRole('link', { name: 'GET /one' }).click()
  const bar = page.getByRole('img', { name: /^hello, attempt 1, completed/ })
  await bar.waitFor()
  t.ok(((await bar.boundingBox())?.width ?? 0) > 0, 'the bar has its place, which the policy lets only the script say')
})

t.test('a viewer who may not act has no buttons, and what has ended meanwhile is said', { skip: withoutBrowser }, async (t) => {
  const failing = defineTask({ name: 'failing', payload: {}, async handler () { throw new Error('no') } })
  let isAllowed = false
  const { app, url } = await createDashboard(t, { plugin: { tasks: [failing] }, dashboard: { actions: () => isAllowed } })
  const { id } = app.backgroundTasks.add(failing, {})
  await app.backgroundTasks.idle()
  const reader = await browser.open(t, `${url}#/tasks/failed`)
  await reader.getByRole('row', { name: 'failing' }).waitFor()
  t.equal(await reader.getByRole('button', { name: 'Retry' }).count(), 0)
  await reader.goto(`${url}#/task/${id}`)
  await reader.getByRole('heading', { level: 1, name: 'failing failed' }).waitFor()
  t.equal(await reader.getByRole('button', { name: 'Retry' }).count(), 0)

  isAllowed = true
  const page = await browser.open(t, `${url}#/tasks/failed`, { expects: /403|404|409/ })
  await page.getByRole('button', { name: 'Retry' }).waitFor()
  isAllowed = false
  await page.getByRole('button', { name: 'Retry' }).click()
  await page.getByText('failing is left as it is: this is not allowed (403).').waitFor()
  isAllowed = true
  await page.route('**/retry', (route) => route.fulfill({ status: 409, json: {} }))
  await page.getByRole('button', { name: 'Retry' }).click()
  await page.getByText('failing was not run again').waitFor()
  await page.unroute('**/retry')
  await page.route('**/retry', (route) => route.fulfill({ status: 404, json: {} }))
  await page.getByRole('button', { name: 'Retry' }).click()
  await page.getByText('failing is not known any more.').waitFor()
})
