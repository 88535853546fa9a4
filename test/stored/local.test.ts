import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { type BackgroundTasksOptions, type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { type TestEngine, createEngine } from '../support/engine.js'
import { failing, notStored } from '../support/failing-engines.js'
import { type Log, createLog } from '../support/log.js'

const note = defineTask({ name: 'note', payload: {}, handler () {} })

interface Setting {
  app: FastifyInstance
  engine: TestEngine
  log: Log
  tasks: Task[]
}

/** Every request adds a task in its first hook, for an engine of this process. */
async function setUp (t: Test, engine = createEngine(), options: BackgroundTasksOptions = {}): Promise<Setting> {
  const log = createLog()
  const tasks: Task[] = []
  const app = await createApp(t, { engine, tasks: [note], ...options }, { logger: log.logger })
  app.addHook('onRequest', async (request) => { tasks.push(request.backgroundTasks.add(note, {})) })
  return { app, engine, log, tasks }
}

t.test('a callback hook that sends a reply and goes on all the same keeps the handler from running', async (t) => {
  const { app, tasks } = await setUp(t)
  let ran = false
  app.addHook('preHandler', (request, reply, done) => {
    reply.code(401).send('no')
    done()
  })
  app.get('/', async () => {
    ran = true
    return 'secret'
  })
  const { statusCode, body } = await app.inject('/')
  t.same([statusCode, body, ran], [401, 'no', false])
  await app.backgroundTasks.idle()
  t.same(tasks.map(({ state }) => state), ['completed'])
})

t.test('an async handler that sends a reply and does not return it logs what it would without the plugin', async (t) => {
  const { app, log } = await setUp(t)
  app.get('/', async (request, reply) => { reply.code(202).send('later') })
  t.equal((await app.inject('/')).statusCode, 202)
  await app.backgroundTasks.idle()
  t.same(log.lines.filter(({ level }) => level === 'warn' || level === 'error'), [])
})

t.test('an engine of this process has the tasks of a reply before send returns', async (t) => {
  const { app, engine } = await setUp(t)
  app.get('/', async (request, reply) => {
    reply.code(202).send('ok')
    t.equal(engine.batches.length, 1)
    t.equal(reply.sent, true)
    return reply
  })
  t.equal((await app.inject('/')).statusCode, 202)
  await app.backgroundTasks.idle()
})

for (const [title, change, cause] of failing) {
  t.test(`when an engine of this process ${title} the reply leaves, and its tasks are logged as failed`, async (t) => {
    const failed: unknown[] = []
    const onError = (error: unknown, task: Task): void => { failed.push(error, task.name) }
    const { app, engine, log, tasks } = await setUp(t, createEngine(change), { storeTimeout: 50, onError })
    app.get('/', async (request, reply) => await reply.code(202).send('ok'))
    t.equal((await app.inject('/')).statusCode, 202)
    await app.backgroundTasks.idle({ timeout: 3000 })
    t.same([engine.batches.length, tasks[0]!.state], [1, 'failed'])
    t.match(failed, [{ code: 'FST_BGT_ENGINE', message: notStored, cause: { message: cause } }, 'note'])
    const [line, ...others] = log.taskLines().filter(({ level }) => level === 'error')
    t.match(line, { msg: 'background task failed', task: 'note', taskId: tasks[0]!.id, err: { code: 'FST_BGT_ENGINE' } })
    t.match((line!.err as Error).message.replace(`${notStored}: `, ''), cause)
    t.same(others, [])
  })
}

t.test('what one pass of onSend does not want, an engine of this process gets in the next', async (t) => {
  const { app, engine } = await setUp(t)
  app.addHook('onSend', async (request, reply) => { if (reply.statusCode === 200) throw new Error('no') })
  app.get('/', async (request) => {
    request.backgroundTasks.add(note, 'error', { when: 'error' })
    request.backgroundTasks.add(note, 'success', { when: 'success' })
  })
  t.equal((await app.inject('/')).statusCode, 500)
  await app.backgroundTasks.idle()
  t.same(engine.batches.map((batch) => batch.map(({ payload }) => payload)), [[{}, 'success'], ['error']])
})
