import { randomUUID } from 'node:crypto'
import type { OutgoingHttpHeaders } from 'node:http'
import t from 'tap'
import { CeleryEngine } from '../../examples/celery/celery-engine.js'
import { importFeed } from '../../examples/celery/import-feed.js'
import type { NamedTaskOptions, TaskSnapshot } from '../../index.js'
import { engineConformance } from '../../lib/testing.js'
import { callByCelery } from '../support/celery.js'
import { type CeleryApp, openCompany, withoutCompany } from '../support/celery-company.js'
import { createApp } from '../support/app.js'
import { EventClient } from '../support/event-client.js'
import { until } from '../support/until.js'

// Workers take seconds to start on a busy machine.
t.setTimeout(180_000)

/** Asks for an import, and resolves to where it can be followed. */
async function post (app: CeleryApp, feed: string): Promise<string> {
  const { statusCode, headers } = await app.inject({ method: 'POST', url: '/imports', payload: { feed } })
  if (statusCode !== 202) throw new Error(`POST /imports replied ${statusCode}`)
  return headers.location as string
}

async function look (app: CeleryApp, location: string): Promise<TaskSnapshot> {
  return (await app.inject(location)).json()
}

async function cancel (app: CeleryApp, location: string): Promise<number> {
  return (await app.inject({ method: 'DELETE', url: location })).statusCode
}

/** Resolves to the first event that shows the task so. */
async function shows (events: EventClient, wanted: Partial<TaskSnapshot>): Promise<TaskSnapshot> {
  const seen: unknown[] = []
  for (;;) {
    const event = await events.next()
    if (event === undefined) throw new Error(`the task was never shown as ${JSON.stringify(wanted)}: ${JSON.stringify(seen)}`)
    const { data } = event
    seen.push(event)
    if (event.event === (wanted.state === undefined ? 'progress' : 'state') && Object.entries(wanted).every(([key, value]) => data[key as keyof TaskSnapshot] === value)) return data
  }
}

const csv = 'a,b\nc,d\n'
const whole: OutgoingHttpHeaders = { 'content-length': csv.length }

for (const name of ['Redis', 'RabbitMQ'] as const) {
  t.test(`over ${name}`, { skip: withoutCompany(name) }, async (t) => {
    const company = await openCompany(t, name)
    const { broker, feeds, redis } = company
    const app = await company.openApp()

    /** Adds a task beside all requests. */
    const add = async (feed: string, options: NamedTaskOptions): Promise<string> => {
      const { id } = app.backgroundTasks.add(importFeed, { feed }, options)
      await app.backgroundTasks.flush()
      return `/imports/${id}`
    }
    const follow = (location: string): Promise<EventClient> => EventClient.open(app, `${location}/events`)

    if (name === 'RabbitMQ') {
      await t.test('without a queue, which no worker has made yet, the client gets 503, and nothing is stored', async (t) => {
        const { statusCode, json } = await app.inject({ method: 'POST', url: '/imports', payload: { feed: 'prices' } })
        t.equal(statusCode, 503)
        t.equal(json().code, 'FST_BGT_ENGINE')
        t.same(await redis.ask((client) => client.keys('*')), [])
      })
    }
    await broker.makeQueue()

    await t.test('a task waits for a worker, and a revoke that no worker hears has no effect', async (t) => {
      const location = await post(app, 'early')
      t.match(await look(app, location), { name: 'tasks.import_feed', state: 'waiting', attempt: 1 })
      t.equal(await cancel(app, location), 409)
      t.equal(await broker.countMessages(), 1)
    })

    const worker = await company.startWorker()

    t.test('a task that has waited runs, and is followed from its progress to its result', async (t) => {
      (await feeds.reply('early')).writeHead(200, whole).end(csv)
      const events = await follow(await post(app, 'prices'))
      const reply = await feeds.reply('prices')
      t.match(await shows(events, { state: 'active' }), { attempt: 1, name: 'tasks.import_feed' })
      reply.writeHead(200, whole).write(csv.slice(0, 4))
      t.match(await shows(events, { progress: 0.5 }), { state: 'active' })
      reply.end(csv.slice(4))
      const { createdAt, finishedAt = '', ...end } = await shows(events, { state: 'completed' })
      t.match(end, { attempt: 1, result: { rows: 2 } })
      t.ok(createdAt <= finishedAt)
      t.equal(await events.next(), undefined)
      await worker.says(/importing prices for request req-\w+$/m)
    })

    t.test('a retry is shown with its reason, and then the next attempt', async (t) => {
      const events = await follow(await post(app, 'busy'));
      (await feeds.reply('busy')).writeHead(503, { 'retry-after': '1' }).end()
      t.match(await shows(events, { state: 'delayed' }), { attempt: 1, error: { name: 'Busy', message: 'busy is not ready' } });
      (await feeds.reply('busy')).writeHead(200, whole).end(csv)
      t.match(await shows(events, { state: 'completed' }), { attempt: 2, result: { rows: 2 } })
    })

    t.test('a failure is shown as the exception of Python', async (t) => {
      const events = await follow(await post(app, 'gone'));
      (await feeds.reply('gone')).writeHead(404).end()
      const { result, ...end } = await shows(events, { state: 'failed' })
      t.match(end, { attempt: 1, error: { name: 'LookupError', message: 'gone: 404' } })
      t.equal(result, undefined)
      t.ok(end.finishedAt)
    })

    t.test('a task that is revoked while it waits never runs', async (t) => {
      await post(app, 'first')
      const first = await feeds.reply('first')
      const location = await post(app, 'second')
      const events = await follow(location)
      t.equal(await cancel(app, location), 200)
      await worker.says(new RegExp(`Tasks flagged as revoked: ${location.split('/').pop()}`))
      first.writeHead(200, whole).end(csv)
      t.match(await shows(events, { state: 'cancelled' }), { error: { name: 'TaskRevokedError', message: 'revoked' } })
      t.notOk(feeds.asked.includes('second'))
      t.equal(await cancel(app, location), 409)
    })

    t.test('a task that runs goes on when it is cancelled, and is ended with the option terminate', async (t) => {
      const location = await post(app, 'long')
      const events = await follow(location)
      const reply = await feeds.reply('long')
      await shows(events, { state: 'active' })
      t.equal(await cancel(app, location), 409)
      const terminating = await company.openApp({ terminate: true })
      t.equal(await cancel(terminating, location), 200)
      t.match(await shows(events, { state: 'cancelled' }), { error: { message: 'terminated' } })
      reply.destroy()
      const next = await follow(await post(app, 'next'));
      (await feeds.reply('next')).writeHead(200, whole).end(csv)
      await shows(next, { state: 'completed' })
    })

    t.test('a delayed task is held back until its time', async (t) => {
      const addedAt = Date.now()
      const location = await add('later', { delay: 1500 })
      t.match(await look(app, location), { state: 'delayed', attempt: 1 })
      const reply = await feeds.reply('later')
      // Timers may be some milliseconds early.
      t.ok(Date.now() - addedAt >= 1490)
      const events = await follow(location)
      reply.writeHead(200, whole).end(csv)
      t.match(await shows(events, { state: 'completed' }), { attempt: 1 })
    })

    t.test('timeout is the time limit of Celery, which ends the attempt', async (t) => {
      const location = await add('endless', { timeout: 1000 })
      const events = await follow(location)
      await feeds.reply('endless')
      t.match(await shows(events, { state: 'failed' }), { error: { name: 'TimeLimitExceeded' } })
    })

    for (const [what, wire] of Object.entries({ broker: company.brokerWire, results: company.resultsWire })) {
      t.test(`clients get 503 while the ${what} cannot be reached, and 202 after that`, async (t) => {
        const keys = async (): Promise<string[]> => (await redis.ask((client) => client.keys('background-tasks:*'))).sort()
        const before = await keys()
        const mend = wire.cut()
        const started = performance.now()
        const { statusCode, json } = await app.inject({ method: 'POST', url: '/imports', payload: { feed: 'lost' } })
        t.equal(statusCode, 503)
        t.equal(json().code, 'FST_BGT_ENGINE')
        t.ok(performance.now() - started < 2500)
        t.same(await keys(), before, 'no record of it is left')
        await mend()
        await until(async () => (await app.inject({ method: 'POST', url: '/imports', payload: { feed: 'back' } })).statusCode === 202);
        (await feeds.reply('back')).writeHead(200, whole).end(csv)
        t.notOk(feeds.asked.includes('lost'))
      })
    }

    t.test('an app closes while the broker cannot be reached', async (t) => {
      const other = await company.openApp()
      await post(other, 'last')
      const mend = company.brokerWire.cut()
      await other.close()
      await mend();
      (await feeds.reply('last')).writeHead(200, whole).end(csv)
    })

    t.test('an event stream outlives an outage of the results, and shows what has happened meanwhile', async (t) => {
      const events = await follow(await post(app, 'patient'))
      const reply = await feeds.reply('patient')
      await shows(events, { state: 'active' })
      const mend = company.resultsWire.cut()
      reply.writeHead(200, whole).end(csv)
      await until(() => redis.ask(async (client) => (await client.mget(await client.keys('celery-task-meta-*'))).every((meta) => !/STARTED|PROGRESS/.test(meta!))))
      await mend()
      t.match(await shows(events, { state: 'completed' }), { result: { rows: 2 } })
    })

    t.test('a task whose worker is killed runs again', async (t) => {
      const location = await post(app, 'twice')
      const events = await follow(location)
      await feeds.reply('twice')
      await shows(events, { state: 'active' })
      await worker.kill()
      await company.startWorker({ visibilityTimeout: 0 });
      (await feeds.reply('twice')).writeHead(200, whole).end(csv)
      t.match(await shows(events, { state: 'completed' }), { result: { rows: 2 } })
      t.equal(feeds.asked.filter((feed) => feed === 'twice').length, 2)
    })

    // The others have the suite run its own handlers, where Celery runs Python.
    const kept = [
      'a batch is not stored in part', 'tasks added before the start run after it', 'an id that was never stored is unknown',
      'of a batch with one id twice the first task is stored', 'a task that has ended cannot be cancelled'
    ]
    const create = (): CeleryEngine => {
      const engine = new CeleryEngine(company.web)
      return Object.assign(engine, { start () {} })
    }
    for (const { name, run } of engineConformance(create).filter(({ name }) => kept.includes(name))) t.test(name, run)
  })
}

t.test('a message has what Celery gives its own', { skip: withoutCompany('Redis') }, async (t) => {
  const company = await openCompany(t, 'Redis')
  const app = await company.openApp()
  const messages = async (): Promise<any[]> =>
    (await company.redis.ask((client) => client.lrange(company.web.queue!, 0, -1))).map((text) => JSON.parse(text))
  await callByCelery(company.workers, 'tasks.import_feed', { feed: 'prices' })
  await post(app, 'prices')
  const [ours, theirs] = await messages()
  const { headers: { req_id: reqId, ...headers }, properties, body, ...rest } = ours
  t.match(reqId, /^req-/)
  t.equal(headers.id, properties.correlation_id)
  const { id, origin } = headers
  const alike = Object.fromEntries(Object.keys(headers).map((key) => [key, theirs.headers[key]]))
  t.same(headers, { ...alike, id, root_id: id, origin, timelimit: [60, null] })
  t.same(Object.keys(properties).sort(), Object.keys(theirs.properties).sort())
  t.same(properties.delivery_info, theirs.properties.delivery_info)
  const decode = (text: string): unknown => JSON.parse(Buffer.from(text, 'base64').toString())
  t.same(decode(body), decode(theirs.body))
  t.same(rest, { 'content-encoding': theirs['content-encoding'], 'content-type': theirs['content-type'] })

  const engine = new CeleryEngine(company.web)
  t.teardown(() => engine.close())
  const traced = { id: randomUUID(), name: 'tasks.import_feed', payload: ['prices'], createdAt: Date.now(), trace: { traceparent: '00-1-1-00' } }
  await engine.add([{ ...traced, delay: 1000 }])
  const [latest] = await messages()
  t.match(latest.headers.eta, /^[-\d]{10}T[:\d]{8}\.\d{6}\+00:00$/, 'fewer digits would count as microseconds')
  t.equal(latest.headers.traceparent, '00-1-1-00')
  const ttl = await company.redis.ask((client) => client.pttl(`background-tasks:${traced.id}`))
  t.ok(ttl > 86_400_000 && ttl <= 86_401_000, 'a day after it is due the task is forgotten, as Celery forgets its result later')
  t.same(decode(latest.body), [['prices'], {}, (decode(theirs.body) as unknown[])[2]], 'an array has the arguments by their place')
})

t.test('what Celery has nothing for is refused, and nothing of its batch is stored', { skip: withoutCompany('Redis') }, async (t) => {
  const company = await openCompany(t, 'Redis')
  const app = await company.openApp()
  for (const [option, value] of Object.entries({ key: 'k', priority: 1, retry: 2, delay: 3_600_000 })) {
    app.backgroundTasks.add(importFeed, { feed: 'fine' })
    const task = app.backgroundTasks.add(importFeed, { feed: 'refused' }, { [option]: value })
    await t.rejects(app.backgroundTasks.flush(), { code: 'FST_BGT_ENGINE', cause: { message: new RegExp(`^tasks.import_feed: .*${option}`) } })
    t.equal(task.state, 'failed')
  }
  t.same(await company.redis.ask((client) => client.keys('*')), [])
})

t.test('an app that would be a worker does not start', async (t) => {
  const celery = new CeleryEngine({ broker: 'redis://127.0.0.1:1', results: 'redis://127.0.0.1:1' })
  const app = await createApp(t, { engine: celery })
  await t.rejects(async () => await app.ready(), { message: /worker: false/ })
})
