import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { readAssets } from '../../lib/dashboard/assets.js'
import { acceptsGzip } from '../../lib/dashboard/page-route.js'
import { createScene, send } from '../support/dashboard.js'
import { LiveClient } from '../support/live-client.js'
import { portOf } from '../support/transports.js'

/** The references of a page to its script and its style. */
function referencesOf (html: string): string[] {
  return [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, reference]) => reference!)
}

t.test('the page is served with and without a slash at its end, and refers to its files by query alone', async (t) => {
  const { ask } = await createScene(t)
  const [page, slash] = [await ask(''), await ask('/')]
  t.equal(page.status, 200)
  t.match(page.headers, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
  t.equal(slash.body, page.body)
  t.match(page.body, /<title>Background tasks<\/title>/)
  const references = referencesOf(page.body).filter((reference) => !reference.startsWith('data:'))
  t.equal(references.length, 2)
  for (const reference of references) t.match(reference, /^\?asset=\w+-\w{8,}\.(js|css)$/)
  t.notMatch(page.body, /<script>|<style|\son\w+=/, 'nothing that the policy would refuse')
})

t.test('files have a hash in their names, may be kept for ever, and are compressed for those who take that', async (t) => {
  const { ask } = await createScene(t)
  for (const reference of referencesOf((await ask('')).body).filter((reference) => reference.startsWith('?'))) {
    const plain = await ask(reference)
    t.equal(plain.status, 200)
    t.match(plain.headers, {
      'content-type': reference.endsWith('.js') ? 'text/javascript; charset=utf-8' : 'text/css; charset=utf-8',
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
      'content-encoding': undefined
    })
    const compressed = await ask(reference, { headers: { 'accept-encoding': 'br, gzip' } })
    t.match(compressed.headers, { 'content-encoding': 'gzip', vary: 'accept-encoding', 'content-type': plain.headers['content-type'] })
    const bytes = Buffer.from(compressed.body, 'base64')
    t.equal(String(bytes.length), compressed.headers['content-length'])
    t.equal(gunzipSync(bytes).toString(), plain.body)
    const head = await ask(reference, { method: 'HEAD' })
    t.equal(head.headers['content-length'], plain.headers['content-length'])
  }
})

t.test('a file that is not there is 404, and may not be kept', async (t) => {
  const { ask } = await createScene(t)
  for (const query of ['?asset=app-0000.js', '?asset=index.html', '?asset=../../package.json', '?asset=', '?asset=a&asset=b', '?asset=__proto__']) {
    const reply = await ask(query)
    t.equal(reply.status, 404, query)
    t.equal(reply.headers['cache-control'], 'no-store')
  }
})

t.test('gzip is taken from the header accept-encoding', async (t) => {
  for (const yes of ['gzip', 'br, gzip', 'GZIP;q=0.5', 'deflate, gzip;q=1.0, *;q=0', ' gzip ; q=0.1']) t.ok(acceptsGzip(yes), yes)
  for (const no of [undefined, '', 'br', 'gzip;q=0', 'gzip; q=0.000', 'xgzip', 'identity']) t.notOk(acceptsGzip(no), String(no))
})

for (const prefix of ['', '/', '/a', '/a/b/', '/tenants/:tenant/tasks']) {
  t.test(`everything works under the prefix "${prefix}"`, async (t) => {
    const { app } = await createScene(t, { dashboard: { prefix } as object, after: (app) => { app.get('/before', async () => ({})) } })
    const base = prefix.replace(':tenant', 'blue')
    const { body, status } = await send(app, base || '/')
    t.equal(status, 200)
    t.equal((await send(app, `${base || '/'}${referencesOf(body).find((reference) => reference.startsWith('?'))}`)).status, 200)
    const client = await LiveClient.open(t, app, `${base.replace(/\/$/, '')}/live?view=overview`)
    t.ok((await client.whole()).counts)
    t.equal((await send(app, '/before')).status, 200)
  })
}

/** A proxy that takes /admin/x off the path, and knows nothing of what it passes on. */
async function createProxy (t: Test, port: number): Promise<string> {
  const proxy = http.createServer((request, response) => {
    const path = request.url!.replace(/^\/admin\/x/, '')
    const headers = { ...request.headers, 'x-forwarded-host': request.headers.host }
    const onward = http.request({ host: '127.0.0.1', port, method: request.method, path: path.startsWith('/') ? path : `/${path}`, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => {
    proxy.close()
    proxy.closeAllConnections()
  })
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/admin/x`
}

for (const prefix of ['', '/background-tasks']) {
  t.test(`a proxy may strip a part of the path in front of "${prefix}"`, async (t) => {
    const { app } = await createScene(t, { dashboard: { prefix, actions: true } as object, server: { trustProxy: true } })
    const proxy = await createProxy(t, await portOf(app))
    for (const page of [`${proxy}${prefix}`, `${proxy}${prefix}/`]) {
      const html = await (await fetch(page)).text()
      for (const reference of referencesOf(html).filter((reference) => reference.startsWith('?'))) {
        t.equal((await fetch(new URL(reference, page))).status, 200)
      }
      const base = page.endsWith('/') ? page : `${page}/`
      const live = await fetch(new URL('live?view=overview', base))
      t.equal(live.status, 200)
      await live.body!.cancel()
      const headers = { 'content-type': 'application/json', 'x-background-tasks': '1', origin: new URL(page).origin }
      t.equal((await fetch(new URL('tasks/none/retry', base), { method: 'POST', headers, body: '{}' })).status, 404)
    }
  })
}

t.test('where the page was not built, register says how to build it', async (t) => {
  const message = /run "npm run build".*external module/
  t.throws(() => readAssets(() => ['/nowhere']), { code: 'FST_BGT_INVALID_OPTIONS', message })
  t.throws(() => readAssets(() => { throw new ReferenceError('__dirname is not defined') }), { code: 'FST_BGT_INVALID_OPTIONS', message })
})
