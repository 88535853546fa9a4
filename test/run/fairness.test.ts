import t from 'tap'
import { createApp } from '../support/app.js'
import { block, countPerTurn } from '../support/per-turn.js'

for (const [kind, wrap] of [
  ['synchronous', (work: () => void) => () => { work() }],
  ['async', (work: () => void) => async () => { work() }]
] as const) {
  t.test(`a burst of lists of ${kind} tasks that block for 1 ms runs at most one of them per turn`, async (t) => {
    const app = await createApp(t)
    const count = countPerTurn()
    app.get('/', async (request) => {
      for (let index = 0; index < 5; index++) {
        request.backgroundTasks.add(wrap(() => {
          count.ran()
          block(1)
        }))
      }
      return 'ok'
    })
    await Promise.all(Array.from({ length: 10 }, () => app.inject('/')))
    await app.backgroundTasks.idle()
    count.stop()
    t.equal(app.backgroundTasks.stats().completed, 50)
    t.equal(count.most(), 1)
  })

  t.test(`one list of short ${kind} tasks runs no more than fill about 1 ms of each turn`, async (t) => {
    const app = await createApp(t)
    const count = countPerTurn()
    app.get('/', async (request) => {
      for (let index = 0; index < 200; index++) {
        request.backgroundTasks.add(wrap(() => {
          count.ran()
          block(0.1)
        }))
      }
      return 'ok'
    })
    await app.inject('/')
    await app.backgroundTasks.idle()
    count.stop()
    t.ok(count.most() <= 11, `${count.most()} tasks of 0.1 ms in one turn`)
    t.ok(count.turns() >= 200 / 11)
  })
}

t.test('tasks of the app, and those with a concurrency of their own, share the same budget', async (t) => {
  const app = await createApp(t, { requestConcurrency: 10 })
  const count = countPerTurn()
  const work = (): void => {
    count.ran()
    block(1)
  }
  app.get('/', async (request) => {
    for (let index = 0; index < 10; index++) request.backgroundTasks.add(work)
    return 'ok'
  })
  await app.inject('/')
  for (let index = 0; index < 10; index++) app.backgroundTasks.add(work)
  await app.backgroundTasks.idle()
  count.stop()
  t.equal(count.most(), 1)
})

t.test('trivial tasks do not take a turn each', async (t) => {
  const app = await createApp(t)
  const count = countPerTurn()
  app.get('/', async (request) => {
    for (let index = 0; index < 1000; index++) request.backgroundTasks.add(async () => { count.ran() })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  count.stop()
  t.ok(count.most() > 1)
})

t.test('a request that comes in during a burst is answered long before the burst is over', async (t) => {
  const app = await createApp(t)
  let ran = 0
  app.get('/burst', async (request) => {
    for (let index = 0; index < 20; index++) {
      request.backgroundTasks.add(() => {
        ran++
        block(1)
      })
    }
    return 'ok'
  })
  app.get('/', async () => 'ok')
  await Promise.all(Array.from({ length: 10 }, () => app.inject('/burst')))
  const before = ran
  await app.inject('/')
  t.ok(ran - before < 20, `${ran - before} of 200 tasks ran meanwhile`)
  await app.backgroundTasks.idle()
  t.equal(ran, 200)
})

t.test('the lists of several requests take turns', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  app.get('/:name', async (request) => {
    const { name } = request.params as { name: string }
    for (let index = 0; index < 10; index++) {
      request.backgroundTasks.add(() => {
        ran.push(name)
        block(1)
      })
    }
    return 'ok'
  })
  await Promise.all([app.inject('/a'), app.inject('/b'), app.inject('/c')])
  await app.backgroundTasks.idle()
  // While all three have tasks, any three in a row are of different requests.
  const together = ran.slice(ran.indexOf('c'), ran.lastIndexOf('a') + 1)
  t.ok(together.length >= 9)
  for (let index = 0; index + 3 <= together.length; index++) {
    t.equal(new Set(together.slice(index, index + 3)).size, 3, together.join(''))
  }
})
