import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { buffer } from 'node:stream/consumers'
import { Connection } from 'rabbitmq-client'
import type { Test } from 'tap'
import { type Checks, completed } from '../../support/snippet-names.js'
import { deliveries } from '../../support/smtp.js'
import { until } from '../../support/until.js'

interface ObjectStore {
  /** What it was given under each key. */
  objects: Map<string, string>
  /** How often somebody has tried. */
  readonly puts: number
}

/** An object store that is away when it is asked for the first time. */
async function startObjectStore (t: Test): Promise<ObjectStore> {
  const store = { objects: new Map<string, string>(), puts: 0 }
  const server = createServer(async (request, response) => {
    const body = await buffer(request)
    if (++store.puts > 1) store.objects.set(request.url!.slice(1), body.toString())
    response.statusCode = store.puts > 1 ? 200 : 503
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  process.env['BUCKET_URL'] = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return store
}

const uploaded = (): string[] => readdirSync(tmpdir()).filter((name) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name))

const head = (length: number): string => [
  'POST /pictures HTTP/1.1', 'host: localhost', 'content-type: multipart/form-data; boundary=x', `content-length: ${length}`, '', '',
  '--x', 'content-disposition: form-data; name="file"; filename="a.jpg"', 'content-type: image/jpeg', '', ''
].join('\r\n')

export const recipes: Checks = {
  async zod (t, { app, greetings }) {
    const post = async (payload: object) => await app.inject({ method: 'POST', url: '/orders', payload })
    t.equal((await post({ id: 7, email: 'ann@example.com' })).statusCode, 202)
    t.equal((await post({ id: 7, email: 'ann' })).statusCode, 500)
    await app.backgroundTasks.idle()
    t.same(greetings, ['order 7 of ann@example.com'])
  },

  async 'after without the request' (t, { app, calls, sentTo }) {
    const reply = await app.inject({ method: 'POST', url: '/accounts', payload: { email: 'ann@example.com' } })
    t.equal(reply.statusCode, 201)
    await app.backgroundTasks.idle()
    t.same(calls, [['insert', 'ann@example.com']])
    t.same(sentTo, ['ann@example.com'])
    t.equal(app.backgroundTasks.stats().completed, 1)
  },

  async Mail (t, { app }) {
    for (const name of ['ann', 'busy', 'nobody']) {
      t.equal((await app.inject({ method: 'POST', url: '/welcome', payload: { email: `${name}@example.com` } })).statusCode, 201)
    }
    await app.backgroundTasks.idle()
    t.same(deliveries.map(({ to, code }) => `${to} ${code}`).sort(), [
      'ann@example.com 250', 'busy@example.com 250', 'busy@example.com 451', 'nobody@example.com 550'
    ])
    t.match(app.backgroundTasks.stats(), { completed: 2, failed: 1 })
  },

  async 'An upload into an object store' (t, { app }) {
    const store = await startObjectStore(t)
    const before = uploaded()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const form = new FormData()
    form.set('file', new Blob(['a picture']), 'a.jpg')
    const response = await fetch(`http://127.0.0.1:${port}/pictures`, { method: 'POST', body: form })
    t.equal(response.status, 202)
    const { key } = await response.json() as { key: string }
    await app.backgroundTasks.idle()
    t.same([...store.objects], [[key, 'a picture']], 'the second try has worked')
    t.same(uploaded(), before, 'the file is gone')

    form.set('file', new Blob(['x'.repeat(2 ** 20 + 1)]), 'large.jpg')
    t.equal((await fetch(`http://127.0.0.1:${port}/pictures`, { method: 'POST', body: form })).status, 413)
    await app.backgroundTasks.idle()
    t.equal(store.puts, 2, 'a file that was cut off is not kept')
    t.same(uploaded(), before, 'nor is what came of it')

    const client = connect(port, '127.0.0.1')
    client.write(head(1e6) + 'half a picture')
    await until(() => uploaded().length > before.length)
    client.destroy()
    await until(() => app.backgroundTasks.stats().skipped === 2)
    await app.backgroundTasks.idle()
    t.equal(store.puts, 2, 'half a picture is not kept')
    t.same(uploaded(), before, 'nor is its file')
  },

  async 'A message to RabbitMQ' (t, { app }) {
    const rabbit = new Connection(process.env['RABBITMQ_URL'])
    t.teardown(() => rabbit.close())
    const post = async (queue: string): Promise<string> =>
      (await app.inject({ method: 'POST', url: '/orders', payload: { queue } })).json().id
    const untilRefused = (id: string): Promise<void> => until(async () => (await app.backgroundTasks.get(id))?.state === 'delayed')
    const name = (what: string): string => `fastify-background-tasks-${what}-${process.pid}`

    const unroutable = await post(name('missing'))
    await untilRefused(unroutable)
    await rabbit.queueDeclare({ queue: name('missing'), exclusive: true })
    await completed(app, unroutable)
    t.match(await rabbit.basicGet({ queue: name('missing'), noAck: true }), { messageId: unroutable, body: { order: 7 } })

    // A full queue refuses what is published.
    await rabbit.queueDeclare({ queue: name('full'), exclusive: true, arguments: { 'x-max-length': 1, 'x-overflow': 'reject-publish' } })
    await completed(app, await post(name('full')))
    const unconfirmed = await post(name('full'))
    await untilRefused(unconfirmed)
    await rabbit.queuePurge({ queue: name('full') })
    await completed(app, unconfirmed)
    t.match(await rabbit.basicGet({ queue: name('full'), noAck: true }), { messageId: unconfirmed })
  }
}
