import { once } from 'node:events'
import t from 'tap'
import { createLatch } from '../support/latch.js'
import { createScene, send } from '../support/dashboard.js'
import { block } from '../support/per-turn.js'
import { named } from '../support/stored-app.js'
import { turnUntil } from '../support/turns.js'

t.test('the first event of a stream has the whole view, and each later one what has changed', async (t) => {
  const { app, look } = await createScene(t)
  const client = await look()
  const whole = await client.whole()
  t.equal(client.events[0]!.event, 'view')
  t.same(whole.counts, { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0, cancelled: 0, skipped: 0, oldestWaitingMs: 0 })
  t.same(whole.rates, { completed: [], delayMs: [] })
  t.match(whole.page, { actions: false, since: Number, script: /^app-\w+\.js$/ })
  t.ok(Math.abs(whole.page!.since - Date.now()) < 60_000)
  app.backgroundTasks.add(function mail () {})
  await client.until(({ counts }) => counts?.completed === 1)
  t.ok(client.events.slice(1).every(({ event, update }) => event === 'change' && !('page' in update.entries)))
})

t.test('a request is shown with its tasks as they wait, run, are delayed and end, by route pattern, in ms from its arrival', async (t) => {
  const { app, look } = await createScene(t)
  const latch = createLatch()
  let attempts = 0
  app.post('/orders/:id', async (req, reply) => {
    req.backgroundTasks.add(async function mail () { await latch.promise })
    req.backgroundTasks.add({ retry: { retries: 1, delay: 20, jitter: false } }, function crm () {
      if (++attempts === 1) throw new Error('no luck')
    })
    req.backgroundTasks.add({ when: 'error' }, function alarm () {})
    block(5)
    return await reply.code(201).send({})
  })
  const client = await look()
  await client.whole()
  await send(app, '/orders/7?secret=1', { method: 'POST' })
  const { 'request:1': before } = await client.until(({ 'request:1': request }) => request?.response !== undefined && request.lanes[0]!.state === 'active')
  t.match(before, { number: 1, reqId: /^req-/, method: 'POST', route: '/orders/:id', response: { outcome: 'sent', statusCode: 201 } })
  t.ok(Math.abs(before!.arrivedAt - Date.now()) < 60_000)
  t.match(before!.lanes, [
    { name: 'mail', kind: 'function', state: 'active', attempts: [{ attempt: 1, from: Number }] },
    { name: 'crm', state: 'waiting', attempts: [] },
    { name: 'alarm', state: 'waiting', attempts: [] }
  ])
  latch.resolve()
  const { 'request:1': after } = await client.until(({ 'request:1': request }) => request?.lanes[2]?.state === 'skipped')
  const [mail, crm, alarm] = after!.lanes
  t.match(mail, { state: 'completed', attempts: [{ attempt: 1, outcome: 'completed' }] })
  t.match(crm, { state: 'completed', attempts: [{ attempt: 1, outcome: 'failed' }, { attempt: 2, outcome: 'completed' }] })
  t.match(alarm, { state: 'skipped', when: 'error', attempts: [] })
  const { response } = after!
  t.ok(mail!.added < response!.at && response!.at <= mail!.attempts[0]!.from, 'nothing runs before the response')
  t.ok(response!.at >= 5)
  t.ok(mail!.ended! <= crm!.attempts[0]!.from && crm!.attempts[0]!.to! + 15 <= crm!.attempts[1]!.from, 'backoff and order are seen')
  t.notOk(client.events.some(({ text }) => text.includes('secret') || text.includes('/orders/7')))
})

t.test('the table of names has kinds, counts, typical and slowest durations, and the last failure', async (t) => {
  const work = named(() => { throw new Error('no luck') })
  const { app, look } = await createScene(t, { tasks: { tasks: [work] } })
  const client = await look()
  await client.whole()
  for (const ms of [0, 0, 100]) app.backgroundTasks.add({ name: 'slow' }, () => { block(ms) })
  app.backgroundTasks.waitUntil(Promise.resolve(), { name: 'promise' })
  app.backgroundTasks.add(work, {})
  app.backgroundTasks.add({ name: 'flaky', retry: { retries: 1, delay: 60_000, jitter: false } }, () => { throw new Error('at first') })
  const entries = await client.until((entries) => entries['name:slow']?.counts.completed === 3 &&
    entries['name:promise']?.counts.completed === 1 && entries['name:work']?.lastFailure && entries['name:flaky']?.lastFailure)
  const { 'name:slow': slow, 'name:promise': promise, 'name:work': failed, 'name:flaky': flaky } = entries
  t.match(slow, { name: 'slow', kind: 'function', where: 'here', counts: { completed: 3, failed: 0, waiting: 0, active: 0 } })
  t.notOk('lastFailure' in slow!)
  t.ok(slow!.slowestMs! >= 100 && slow!.typicalMs! < 100)
  t.match(promise, { kind: 'promise', where: 'here', counts: { completed: 1, active: 0 } })
  t.match(failed, { kind: 'registered', where: 'here', counts: { failed: 1 }, lastFailure: { message: 'no luck' } })
  t.ok(Math.abs(failed!.lastFailure!.at - Date.now()) < 60_000)
  t.match(flaky, { counts: { failed: 0, delayed: 1 }, lastFailure: { message: 'at first' } }, 'a failed attempt counts as a failure')
})

t.test('once a second there is a sample: what completed, and how long the event loop was held', async (t) => {
  const { app, look } = await createScene(t)
  const client = await look()
  await client.whole()
  app.backgroundTasks.add(function block () {
    const end = performance.now() + 150
    while (performance.now() < end);
  })
  const { rates } = await client.until(({ rates }) => rates?.completed.length === 2)
  t.equal(rates!.completed[0]! + rates!.completed[1]!, 1)
  t.ok(Math.max(...rates!.delayMs) >= 100)
  t.equal(rates!.delayMs.length, 2)
})

t.test('the oldest waiting task is known, while nothing else changes', async (t) => {
  const { app, look } = await createScene(t, { tasks: { concurrency: 1 } })
  const latch = createLatch()
  app.backgroundTasks.add(() => latch.promise)
  app.backgroundTasks.add(() => {})
  const client = await look()
  const { counts } = await client.until(({ counts }) => counts !== undefined && counts.oldestWaitingMs >= 1000)
  t.match(counts, { waiting: 1, active: 1 })
  latch.resolve()
})

t.test('whatever names, messages and ids hold, an event is one line of JSON', async (t) => {
  const { app, look } = await createScene(t, { server: { genReqId: () => 'id\r\n\nevent: view\u2028</script>' } })
  app.get('/', async (req) => {
    req.backgroundTasks.add({ name: 'name\n\ndata: {}\u2029</script>' }, () => { throw new Error(`\n\n: ${'long '.repeat(100_000)}`) })
    return {}
  })
  const client = await look()
  await client.whole()
  await send(app, '/')
  const { 'request:1': request } = await client.until(({ 'request:1': request }) => request?.lanes[0]?.error)
  t.equal(request!.reqId, 'id\r\n\nevent: view\u2028</script>')
  t.equal(request!.lanes[0]!.name, 'name\n\ndata: {}\u2029</script>')
  t.equal(request!.lanes[0]!.error!.message.length, 4096)
  t.ok(client.entries['name:name\n\ndata: {}\u2029</script>'])
})

t.test('a task that was added before the recording is shown when somebody looks, with its request where that is not over', async (t) => {
  const { app, look } = await createScene(t)
  const [held, running] = [createLatch(), createLatch()]
  app.get('/over', async (req) => {
    req.backgroundTasks.add(async function over () { await running.promise })
    return {}
  })
  app.get('/open', async (req) => {
    req.backgroundTasks.add(function open () {})
    await held.promise
    return {}
  })
  await send(app, '/over')
  const opened = send(app, '/open')
  await app.backgroundTasks.stats()
  await turnUntil(() => app.backgroundTasks.stats().waiting === 1)
  const client = await look()
  const entries = await client.whole()
  t.match(entries['name:over'], { counts: { active: 1 } })
  t.match(entries['name:open'], { counts: { waiting: 1 } })
  t.match(entries['request:1'], { route: '/open', lanes: [{ name: 'open', state: 'waiting' }] })
  t.notOk('request:2' in entries, 'the request of the other is gone')
  held.resolve()
  running.resolve()
  await opened
  await client.until((entries) => entries['name:over']?.counts.completed === 1 && entries['request:1']?.lanes[0]?.state === 'completed')
  t.ok(client.entries['name:over']!.slowestMs! > 0)
})

t.test('a request that matches no route, and one whose client goes, are shown as what they are', async (t) => {
  const { app, look } = await createScene(t, {
    after (app) {
      app.addHook('onRequest', async (req) => { if (req.headers['x-add'] !== undefined) req.backgroundTasks.add(function audit () {}) })
      app.get('/slow', async (req, reply) => {
        await once(req.raw.socket.destroy(), 'close')
        return {}
      })
    }
  })
  const client = await look()
  await client.whole()
  t.equal((await send(app, '/nowhere?secret', { headers: { 'x-add': '1' } })).status, 404)
  await t.rejects(send(app, '/slow', { headers: { 'x-add': '1' } }))
  const entries = await client.until((entries) => entries['request:2']?.lanes[0]?.state === 'completed' && entries['request:1']?.response)
  t.match(entries['request:1'], { method: 'GET', route: '(no route)', response: { outcome: 'sent', statusCode: 404 } })
  t.match(entries['request:2'], { route: '/slow', response: { outcome: 'aborted' } })
})
