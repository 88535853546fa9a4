import type { FastifyInstance, FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import type { Task } from '../../index.js'
import { createApp } from '../support/app.js'
import { nextTurn } from '../support/turns.js'

/** Adds tasks of the app and notes, of each, how many turns later it has started. */
interface Scene {
  readonly app: FastifyInstance
  add (): void
  readonly waited: number[]
  end (): Promise<void>
}

async function createScene (t: Test): Promise<Scene> {
  // No slice is over in the turn in which it began, and each is in the next one.
  let now = performance.now()
  t.intercept(performance, 'now', { value: () => now })
  const app = await createApp(t)
  app.get('/adds', async ({ backgroundTasks }) => {
    backgroundTasks.add(add)
    backgroundTasks.add(async () => { add() })
    backgroundTasks.add(() => {})
    return 'ok'
  })
  await app.ready()
  await nextTurn()
  const waited: number[] = []
  let turn = 0
  let isOver = false
  // An immediate of its own in each turn, in front of all others.
  const count = (): void => {
    turn++
    now += 10
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  t.teardown(() => { isOver = true })
  await nextTurn()

  function add (): void {
    const addedAt = turn
    app.backgroundTasks.add(() => { waited.push(turn - addedAt) })
  }
  return { app, waited, add, end: () => app.backgroundTasks.idle() }
}

t.test('tasks of the app start in the next turn of the event loop', async (t) => {
  const { add, waited, end } = await createScene(t)
  add()
  add()
  await end()
  t.same(waited, [1, 1])
})

t.test('a task of the app that is added in front of an immediate that has been set starts in the next turn', async (t) => {
  const { add, waited, end } = await createScene(t)
  setImmediate(add)
  add()
  setImmediate(add)
  await end()
  t.same(waited, [1, 1, 1])
})

t.test('a task of the app that tasks of the app add starts in the turn after theirs', async (t) => {
  const { app, add, waited, end } = await createScene(t)
  app.backgroundTasks.add(() => {
    add()
    app.backgroundTasks.add(() => { add() })
    process.nextTick(add)
    queueMicrotask(add)
  })
  await end()
  t.same(waited, [1, 1, 1, 1])
})

t.test('a task of the app that a task of a request adds starts in the turn after that, while others of the request go on', async (t) => {
  const { app, waited, end } = await createScene(t)
  await app.inject('/adds')
  await end()
  t.same(waited, [1, 1])
})

t.test('a task of the app that is added at the end of another, while tasks are about to start, starts in the next turn', async (t) => {
  const { app, add, waited, end } = await createScene(t)
  app.backgroundTasks.add(async () => {
    await nextTurn()
    app.backgroundTasks.add(() => {})
  })
  app.backgroundTasks.waitUntil((async () => {
    await nextTurn()
    add()
    await nextTurn()
    add()
  })())
  await end()
  t.same(waited, [1, 1])
})

t.test('a task of the app that is cancelled in the turn of its add never runs', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  const tasks = ['a', 'b', 'c'].map((name) => app.backgroundTasks.add(() => { ran.push(name) }))
  t.equal(tasks[1]?.cancel(), true)
  await app.backgroundTasks.idle()
  t.same(ran, ['a', 'c'])
})

t.test('no task has started before it was added', async (t) => {
  const tasks: Task[] = []
  let request: FastifyRequest | undefined
  const block = (): void => {
    const end = performance.now() + 5
    while (performance.now() < end);
  }
  const app = await createApp(t, {
    onError () {
      block()
      tasks.push(request!.backgroundTasks.add(() => {}), app.backgroundTasks.add(() => {}))
    }
  })
  app.get('/', async (given) => {
    request = given
    given.backgroundTasks.add(async () => { throw new Error('no') })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.equal(tasks.length, 2)
  for (const task of tasks) {
    const { createdAt, startedAt, finishedAt } = task.toJSON()
    t.ok(createdAt <= startedAt!, `${createdAt} <= ${startedAt}`)
    t.ok(startedAt! <= finishedAt!, `${startedAt} <= ${finishedAt}`)
  }
})
