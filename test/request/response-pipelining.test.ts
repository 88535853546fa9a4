import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import backgroundTasks, { type Task } from '../../index.js'
import { type Latch, createLatch } from '../support/latch.js'
import { RawClient } from '../support/raw-client.js'
import { overHttp1 } from '../support/transports.js'
import { turnUntil } from '../support/turns.js'

const store = new AsyncLocalStorage<string>()

interface Notes {
  readonly app: FastifyInstance
  /** Names of the requests whose handler has begun. */
  readonly begun: string[]
  /** `task name: store, outcome and status`, in the order of the runs. */
  readonly runs: string[]
  /** Lets the handler of a request go on. */
  release (name: string): void
}

/** An app whose handlers add a task, wait to be released, add another one and reply with their name. */
async function createWaitingApp (t: Test): Promise<Notes> {
  const begun: string[] = []
  const runs: string[] = []
  const gates = new Map<string, Latch>()
  const gate = (name: string): Latch => {
    const latch = gates.get(name) ?? createLatch()
    gates.set(name, latch)
    return latch
  }
  const app = overHttp1.create()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  // Every request has a store of its own, all the way down.
  app.addHook('onRequest', (request, _reply, done) => { store.run(request.url.slice(1), done) })
  app.get('/:name', async (request) => {
    const { name } = request.params as { name: string }
    const note = (task: Task): void => {
      runs.push(`${task.name}: ${store.getStore()} ${task.response?.outcome} ${task.response?.statusCode}`)
    }
    request.backgroundTasks.add({ name: `${name} early` }, note)
    begun.push(name)
    await gate(name).promise
    request.backgroundTasks.add({ name: `${name} late` }, note)
    return name
  })
  return { app, begun, runs, release: (name) => { gate(name).resolve() } }
}

t.test('the tasks of pipelined requests run in the context of their own request, each after its own response', async (t) => {
  const { app, begun, runs, release } = await createWaitingApp(t)
  const client = await RawClient.connect(app)
  for (const name of ['one', 'two', 'three']) client.send('GET', `/${name}`)
  await turnUntil(() => begun.length === 3)

  release('three')
  release('two')
  await turnUntil(() => app.backgroundTasks.stats().waiting === 5)
  t.same(runs, [], 'replies that wait for the first one keep their tasks waiting')
  release('one')
  await client.receive('three')
  await app.backgroundTasks.idle({ timeout: 3000 })

  t.same([...runs].sort(), ['one', 'three', 'two'].flatMap((name) => [
    `${name} early: ${name} sent 200`,
    `${name} late: ${name} sent 200`
  ]))
})

for (const end of ['destroy', 'resetAndDestroy', 'end'] as const) {
  t.test(`the tasks of pipelined requests run once when the connection dies, by ${end}, while the first is pending`, async (t) => {
    const { app, begun, runs, release } = await createWaitingApp(t)
    const names = ['one', 'two', 'three']
    const client = await RawClient.connect(app)
    for (const name of names) client.send('GET', `/${name}`)
    await turnUntil(() => begun.length === 3)

    client.socket[end]()
    await app.backgroundTasks.idle({ timeout: 3000 })
    t.same([...runs].sort(), names.map((name) => `${name} early: ${name} aborted 200`).sort())

    runs.length = 0
    for (const name of names) release(name)
    await turnUntil(() => runs.length === 3)
    await app.close()
    t.same([...runs].sort(), names.map((name) => `${name} late: ${name} aborted 200`).sort(),
      'what the handlers add afterwards runs too')
  })
}

t.test('a reply that was queued behind the first one when the connection died was not sent', async (t) => {
  const { app, begun, runs, release } = await createWaitingApp(t)
  const client = await RawClient.connect(app)
  for (const name of ['one', 'two']) client.send('GET', `/${name}`)
  await turnUntil(() => begun.length === 2)
  release('two')
  await turnUntil(() => app.backgroundTasks.stats().waiting === 3)

  client.socket.destroy()
  await app.backgroundTasks.idle({ timeout: 3000 })
  t.same([...runs].sort(), [
    'one early: one aborted 200',
    'two early: two aborted 200',
    'two late: two aborted 200'
  ])
  release('one')
})

t.test('a first reply that got out counts as sent when the connection dies before the second', async (t) => {
  const { app, begun, runs, release } = await createWaitingApp(t)
  const client = await RawClient.connect(app)
  for (const name of ['one', 'two']) client.send('GET', `/${name}`)
  await turnUntil(() => begun.length === 2)
  release('one')
  await client.receive('one')
  client.socket.destroy()
  await app.backgroundTasks.idle({ timeout: 3000 })
  t.same(runs, ['one early: one sent 200', 'one late: one sent 200', 'two early: two aborted 200'])
  release('two')
})
