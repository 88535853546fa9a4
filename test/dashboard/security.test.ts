import basicAuth from '@fastify/basic-auth'
import compress from '@fastify/compress'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { type Reply, type Scene, type SceneOptions, createScene } from '../support/dashboard.js'
import { LiveClient } from '../support/live-client.js'

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'"

function assertSecure (t: Test, { status, headers }: Reply, expected: number, what: string): void {
  t.equal(status, expected, what)
  t.match(headers, { 'content-security-policy': policy, 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' }, what)
}

async function assertAllSecure (t: Test, { app, ask, act, look }: Scene, id: string): Promise<void> {
  const { body } = await ask('')
  const asset = /src="(\?asset=[^"]+)"/.exec(body)![1]!
  for (const path of ['', '/', asset]) assertSecure(t, await ask(path), 200, path)
  assertSecure(t, await ask('', { method: 'HEAD' }), 200, 'HEAD')
  assertSecure(t, await ask('?asset=none'), 404, 'no such file')
  assertSecure(t, await ask('/nowhere'), 404, 'no such page')
  assertSecure(t, await ask('/live?view=none'), 404, 'no such view')
  const { response } = await look()
  assertSecure(t, { status: response.statusCode!, headers: response.headers, body: '' }, 200, 'the stream')
  t.match(response.headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'content-encoding': undefined })
  assertSecure(t, await act(id, 'retry'), 409, 'an action without effect')
  assertSecure(t, await act('none', 'cancel'), 404, 'an action on nothing')
  assertSecure(t, await act(id, 'cancel'), 200, 'an action')
  assertSecure(t, await act(id, 'cancel', { 'sec-fetch-site': 'cross-site' }), 403, 'a foreign action')
  const answers = [await ask(''), await ask('?asset=none'), await ask('/nowhere'), await act('none', 'cancel')]
  t.same(answers.map(({ headers }) => headers['cache-control']), Array(4).fill('no-store'))
  await app.close()
}

const plugins: Array<[name: string, options: SceneOptions]> = [
  ['alone', {}],
  ['beside @fastify/helmet, registered before', { before: (app) => app.register(helmet) }],
  ['beside @fastify/helmet, registered after', { after: (app) => app.register(helmet) }],
  ['beside a strict @fastify/helmet with nonces', {
    before: (app) => app.register(helmet, { enableCSPNonces: true, contentSecurityPolicy: { directives: { defaultSrc: ["'none'"] } }, referrerPolicy: { policy: 'origin' } })
  }],
  ['beside @fastify/compress, registered before', { before: (app) => app.register(compress, { threshold: 0 }) }],
  ['beside @fastify/compress, registered after', { after: (app) => app.register(compress, { threshold: 0 }) }],
  ['beside @fastify/cors', { before: (app) => app.register(cors, { origin: true, credentials: true }) }],
  ['beside a hook that lets everything be kept', { before: (app) => { app.addHook('onRequest', async (req, reply) => { reply.header('cache-control', 'public') }) } }]
]

for (const [title, options] of plugins) {
  t.test(`every reply of the dashboard has its policy, ${title}`, async (t) => {
    const scene = await createScene(t, { ...options, dashboard: { actions: true } })
    const { id } = scene.app.backgroundTasks.add({ name: 'held' }, (task) => new Promise((resolve) => { task.signal.onabort = resolve }))
    await assertAllSecure(t, scene, id)
  })
}

t.test('other replies of the app keep their headers', async (t) => {
  const { app } = await createScene(t, {
    before: (app) => app.register(helmet),
    after: (app) => { app.get('/other', async () => ({})) }
  })
  const reply = await app.inject('/other')
  t.notMatch(String(reply.headers['content-security-policy']), policy)
  t.notOk('cache-control' in reply.headers)
  t.equal((await app.inject('/none')).headers['cache-control'], undefined)
})

for (const place of ['before', 'after'] as const) {
  t.test(`a file is compressed once beside @fastify/compress, registered ${place}`, async (t) => {
    const { ask } = await createScene(t, { [place]: (app: FastifyInstance) => app.register(compress, { threshold: 0 }) })
    const asset = /src="(\?asset=[^"]+)"/.exec((await ask('')).body)![1]!
    const plain = await ask(asset)
    const compressed = await ask(asset, { headers: { 'accept-encoding': 'gzip' } })
    t.equal(gunzipSync(Buffer.from(compressed.body, 'base64')).toString(), plain.body)
    t.match(compressed.headers, { 'content-encoding': 'gzip', vary: /accept-encoding/ })
  })
}

t.test('@fastify/basic-auth protects page, assets, stream and actions, and its refusals have the policy too', async (t) => {
  const headers = { authorization: `Basic ${Buffer.from('admin:secret').toString('base64')}` }
  const { app, ask, act } = await createScene(t, {
    async before (app) {
      await app.register(basicAuth, { authenticate: true, validate: async (name, password) => { if (password !== 'secret') throw new Error('no') } })
    },
    dashboard: { actions: true, onRequest: (req, reply, done) => { req.server.basicAuth(req, reply, done) } }
  })
  for (const path of ['', '/', '?asset=app.js', '/live?view=overview', '/nowhere']) assertSecure(t, await ask(path), 401, path)
  assertSecure(t, await act('none', 'cancel'), 401, 'action')
  t.match((await ask('')).headers, { 'www-authenticate': /^Basic/, 'cache-control': 'no-store' })
  t.equal((await ask('', { headers })).status, 200)
  t.equal((await act('none', 'cancel', headers)).status, 404)
  const client = await LiveClient.open(t, app, '/background-tasks/live?view=overview', headers)
  t.ok(await client.whole())
})

t.test('a hook that throws, or redirects, gives a reply with the policy', async (t) => {
  const { ask } = await createScene(t, {
    dashboard: {
      async onRequest (req, reply) {
        if (req.headers['x-redirect'] !== undefined) return await reply.redirect('/login')
        throw new Error('no database')
      }
    }
  })
  assertSecure(t, await ask(''), 500, 'throws')
  assertSecure(t, await ask('', { headers: { 'x-redirect': '1' } }), 302, 'redirects')
})
