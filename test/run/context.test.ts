import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import { createApp } from '../support/app.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const store = new AsyncLocalStorage<string>()

t.test('the async context inside a task is that of its add', async (t) => {
  const app = await createApp(t)
  const seen: Array<string | undefined> = []
  const see = (): void => { seen.push(store.getStore()) }
  app.addHook('onRequest', (request, _reply, done) => { store.run(`request ${request.url}`, done) })
  app.get('/:name', async ({ backgroundTasks }) => {
    backgroundTasks.add(see)
    store.run('handler', () => { backgroundTasks.add(async () => { await nextTurn().then(see) }) })
    store.exit(() => { backgroundTasks.add(see) })
    backgroundTasks.add(() => { store.run('task', () => { backgroundTasks.add(see) }) })
    return 'ok'
  })
  await store.run('client', () => app.inject('/a'))
  await app.backgroundTasks.idle()
  t.same(seen, ['request /a', 'handler', undefined, 'task'])
})

t.test('a task of the app has the context of its add, whoever made the turn', async (t) => {
  const app = await createApp(t)
  const seen: Array<string | undefined> = []
  for (const name of ['a', 'b', 'c']) {
    store.run(name, () => { app.backgroundTasks.add(() => { seen.push(store.getStore()) }) })
  }
  await app.backgroundTasks.idle()
  t.same(seen, ['a', 'b', 'c'])
  t.equal(store.getStore(), undefined)
})

t.test('every attempt, its retryIf and onError have the context of the add', async (t) => {
  const seen: string[] = []
  const see = (what: string): void => { seen.push(`${what} in ${store.getStore()}`) }
  const app = await createApp(t, { onError: () => { see('onError') } })
  const retryIf = (): boolean => {
    see('retryIf')
    return true
  }
  // Real timers: fake ones do not carry the context.
  store.run('add', () => app.backgroundTasks.add({ timeout: 1, retry: { retries: 2, delay: 1, retryIf } }, async (task) => {
    see(`attempt ${task.attempt}`)
    if (task.attempt === 1) throw new Error('fails')
    task.signal.addEventListener('abort', () => { see('abort') })
    await new Promise(() => {})
  }))
  await app.backgroundTasks.idle()
  t.same(seen, [
    'attempt 1 in add', 'retryIf in add', 'attempt 2 in add', 'abort in add', 'retryIf in add', 'attempt 3 in add',
    'abort in add', 'onError in add'
  ])
})

t.test('what a task does to its context does not reach the next one', async (t) => {
  const app = await createApp(t)
  const seen: Array<string | undefined> = []
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => { store.enterWith('left behind') })
    request.backgroundTasks.add(() => { seen.push(store.getStore()) })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(seen, [undefined])
})

for (const [title, fail] of [
  ['throws at once', () => { throw new Error('fails') }],
  ['rejects', async () => { throw new Error('fails') }]
] as const) {
  t.test(`what a function that ${title} does to its context does not reach its next attempt`, async (t) => {
    const app = await createApp(t)
    const seen: Array<string | undefined> = []
    store.run('add', () => app.backgroundTasks.add({ retry: { retries: 2, delay: 0 } }, () => {
      seen.push(store.getStore())
      store.enterWith('left behind')
      return fail()
    }))
    await app.backgroundTasks.idle()
    t.same(seen, ['add', 'add', 'add'])
  })
}

t.test('onError of a task that close has cut off in a backoff has the context of the add', async (t) => {
  const seen: unknown[] = []
  const app = await createApp(t, { onError: () => { seen.push(store.getStore()) } })
  await app.ready()
  const task = store.run('add', () => app.backgroundTasks.add({ retry: { retries: 1, delay: 60_000, jitter: false } }, () => {
    throw new Error('fails')
  }))
  await turnUntil(() => task.state === 'delayed')
  await store.run('close', () => app.close())
  t.same(seen, ['add'])
})

t.test('onError of a task that the deadline of close ends has the context of the add', async (t) => {
  const seen: unknown[] = []
  const app = await createApp(t, { closeTimeout: 0, onError: () => { seen.push(store.getStore()) } })
  await app.ready()
  const task = store.run('add', () => app.backgroundTasks.add(() => new Promise(() => {})))
  await turnUntil(() => task.state === 'active')
  await store.run('close', () => app.close())
  t.same(seen, ['add'])
})
