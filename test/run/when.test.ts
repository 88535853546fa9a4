import t from 'tap'
import type { Task, When } from '../../index.js'
import { createApp } from '../support/app.js'
import { createLog } from '../support/log.js'

const whens: When[] = ['always', 'success', 'error']

for (const [status, expected] of [
  [200, ['always', 'success']],
  [204, ['always', 'success']],
  [302, ['always', 'success']],
  [304, ['always', 'success']],
  [399, ['always', 'success']],
  [400, ['always', 'error']],
  [404, ['always', 'error']],
  [500, ['always', 'error']],
  [503, ['always', 'error']]
] as const) {
  t.test(`after a ${status} run the tasks for: ${expected.join(', ')}`, async (t) => {
    const app = await createApp(t)
    const ran: string[] = []
    let tasks: Task[] = []
    app.get('/', async (request, reply) => {
      tasks = whens.map((when) => request.backgroundTasks.add({ when }, (task) => {
        t.same(task.response, { outcome: 'sent', statusCode: status })
        ran.push(when)
      }))
      return reply.code(status).send()
    })
    await app.inject('/')
    await app.backgroundTasks.idle()
    t.same(ran, expected)
    t.same(tasks.map(({ state }) => state), whens.map((when) => ran.includes(when) ? 'completed' : 'skipped'))
    t.match(app.backgroundTasks.stats(), { completed: 2, skipped: 1, waiting: 0 })
  })
}

t.test('the status that counts is the one sent, not the one at add', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  app.get('/', async (request) => {
    for (const when of whens) request.backgroundTasks.add({ when }, () => { ran.push(when) })
    throw new Error('handler')
  })
  app.setNotFoundHandler(async (request, reply) => {
    for (const when of whens) request.backgroundTasks.add({ when }, () => { ran.push(`404 ${when}`) })
    return reply.code(200).send('found after all')
  })
  t.equal((await app.inject('/')).statusCode, 500)
  await app.backgroundTasks.idle()
  t.equal((await app.inject('/unknown')).statusCode, 200)
  await app.backgroundTasks.idle()
  t.same(ran, ['always', 'error', '404 always', '404 success'])
})

t.test('a skipped task leaves the order of the others alone and is not a failure', async (t) => {
  const log = createLog()
  const app = await createApp(t, { onError: () => { t.fail('a skipped task is no failure') } }, { logger: log.logger })
  const ran: string[] = []
  let skipped!: Task
  app.get('/', async (request) => {
    request.backgroundTasks.add(() => { ran.push('a') })
    skipped = request.backgroundTasks.add({ when: 'error', retry: 2, timeout: 10 }, () => { ran.push('skipped') })
    request.backgroundTasks.add(() => { ran.push('b') })
    return 'ok'
  })
  await app.inject('/')
  await app.backgroundTasks.idle()
  t.same(ran, ['a', 'b'])
  t.equal(skipped.error, undefined)
  t.equal(skipped.result, undefined)
  t.equal(skipped.cancel(), false)
  const snapshot = skipped.toJSON()
  t.match(snapshot, { state: 'skipped', attempt: 1, finishedAt: String })
  t.notOk('startedAt' in snapshot)
  t.same(log.taskLines().filter(({ level }) => level !== 'debug'), [])
})

t.test('when is judged by the outcome for tasks added after the response too', async (t) => {
  const app = await createApp(t)
  const ran: string[] = []
  let late!: () => void
  app.get('/', async (request) => {
    late = () => {
      for (const when of whens) request.backgroundTasks.add({ when }, () => { ran.push(when) })
    }
    return 'ok'
  })
  await app.inject('/')
  late()
  await app.backgroundTasks.idle()
  t.same(ran, ['always', 'success'])
})

t.test('a task of the app runs whatever its when says', async (t) => {
  const app = await createApp(t, { when: 'error' })
  const ran: string[] = []
  for (const when of whens) {
    app.backgroundTasks.add({ when }, (task) => {
      t.equal(task.response, undefined)
      ran.push(when)
    })
  }
  app.backgroundTasks.add(() => { ran.push('default') })
  await app.backgroundTasks.idle()
  t.same(ran, [...whens, 'default'])
})
