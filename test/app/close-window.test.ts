import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { createApp } from '../support/app.js'
import { noteClose, slowTask } from '../support/close-notes.js'
import { type Latch, createLatch } from '../support/latch.js'
import { type Log, createLog } from '../support/log.js'
import { nextTurn } from '../support/turns.js'

interface Scene {
  readonly app: FastifyInstance
  readonly log: Log
  /** What happened, in order. */
  readonly events: string[]
  /** Ends the only task there is. */
  readonly release: Latch
}

async function createScene (t: Test, closeTimeout = 60_000): Promise<Scene> {
  const log = createLog()
  const events: string[] = []
  const app = await createApp(t, { closeTimeout }, { logger: log.logger })
  await app.register(noteClose(events, 'database'))
  return { app, log, events, release: createLatch() }
}

/** Adds a task so many microtasks after the end of another one. */
async function addBehind ({ app, events, release }: Scene, microtasks: number): Promise<void> {
  const promise = release.promise.then(() => {})
  app.backgroundTasks.waitUntil(promise)
  await promise
  for (let index = 0; index < microtasks; index++) await undefined
  app.backgroundTasks.add(slowTask(events, 'task'))
}

const distances = [0, 1, 2, 3, 4, 5, 10, 50]

for (const microtasks of distances) {
  t.test(`close waits for a task that is added ${microtasks} microtasks after another has ended`, async (t) => {
    const scene = await createScene(t)
    const added = addBehind(scene, microtasks)
    const closed = scene.app.close()
    for (let turns = 0; turns < 10; turns++) await nextTurn()
    scene.release.resolve()
    await Promise.all([added, closed])
    t.same(scene.events, ['task', 'database closed'])
    t.match(scene.app.backgroundTasks.stats(), { completed: 2, cancelled: 0, failed: 0 })
  })

  t.test(`idle waits for a task that is added ${microtasks} microtasks after another has ended`, async (t) => {
    const scene = await createScene(t)
    const added = addBehind(scene, microtasks)
    const idle = scene.app.backgroundTasks.idle().then(() => { scene.events.push('idle') })
    scene.release.resolve()
    await Promise.all([added, idle])
    t.same(scene.events, ['task', 'idle'])
  })

  t.test(`idle that finds nothing unfinished waits for a task that is added ${microtasks} microtasks later`, async (t) => {
    const { app, events } = await createScene(t)
    const added = (async () => {
      for (let index = 0; index < microtasks; index++) await undefined
      app.backgroundTasks.add(slowTask(events, 'task'))
    })()
    await Promise.all([app.backgroundTasks.idle(), added])
    t.same(events, ['task'])
  })

  t.test(`what an onClose hook adds is waited for, and a task added ${microtasks} microtasks after its end`, async (t) => {
    const scene = await createScene(t)
    let added: Promise<void> | undefined
    scene.app.addHook('onClose', async () => {
      added = addBehind(scene, microtasks)
      setImmediate(() => { setImmediate(scene.release.resolve) })
    })
    await scene.app.ready()
    await scene.app.close()
    await added
    t.match(scene.app.backgroundTasks.stats(), { completed: 2, cancelled: 0 })
  })
}

t.test('the load of a cache, waited for and awaited, is followed by a task that close waits for', async (t) => {
  const { app, events, log, release } = await createScene(t)
  async function load (): Promise<string> {
    const fetched = release.promise.then(() => 'loaded')
    app.backgroundTasks.waitUntil(fetched)
    return await fetched
  }
  async function handle (): Promise<void> {
    app.backgroundTasks.add(async (value: string) => { events.push(value) }, await load())
  }
  const handled = handle()
  const closed = app.close()
  for (let turns = 0; turns < 10; turns++) await nextTurn()
  release.resolve()
  await Promise.all([handled, closed])
  t.same(events, ['loaded', 'database closed'])
  t.same(log.lines.filter(({ level }) => level === 'error'), [])
})

t.test('close waits for what is added by those who wait for idle, before other onClose hooks', async (t) => {
  const { app, events, release } = await createScene(t)
  app.backgroundTasks.add(() => release.promise)
  const closed = app.close()
  for (let turns = 0; turns < 10; turns++) await nextTurn()
  const idles = ['first', 'second'].map(async (name) => {
    await app.backgroundTasks.idle()
    app.backgroundTasks.add(slowTask(events, name))
  })
  release.resolve()
  await Promise.all([...idles, closed])
  t.same(events, ['first', 'second', 'database closed'])
})

t.test('close ends although a task is added each time that idle has resolved', async (t) => {
  const { app, log } = await createScene(t, 20)
  async function addAgain (): Promise<never> {
    app.backgroundTasks.add({ name: 'again' }, () => {})
    await app.backgroundTasks.idle()
    return await addAgain()
  }
  const adding = t.rejects(addAgain(), { code: 'FST_BGT_CLOSED' })
  await app.close()
  await adding
  for (const { tasks } of log.lines.filter(({ msg }) => msg === 'background tasks left unfinished')) {
    t.match(tasks, [{ name: 'again', state: 'cancelled' }])
  }
  t.match(app.backgroundTasks.stats(), { waiting: 0, active: 0 })
})
