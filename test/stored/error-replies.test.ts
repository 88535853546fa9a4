import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { type Task, defineTask } from '../../index.js'
import { createApp } from '../support/app.js'
import { createDistantEngine } from '../support/engine.js'
import { portOf } from '../support/transports.js'

const note = defineTask({ name: 'note', payload: {}, handler () { t.fail('it was not stored') } })
const gone = (): Error => Object.assign(new Error('gone'), { statusCode: 404 })

/** Error replies, whose tasks are added in an onRequest hook. */
const rows: Array<[title: string, setup: (app: FastifyInstance) => void]> = [
  ['a handler that throws 404', (app) => { app.get('/', async () => { throw gone() }) }],
  ['a sync handler that throws', (app) => { app.get('/', () => { throw new Error('no') }) }],
  ['a handler that sends an error', (app) => { app.get('/', (request, reply) => { reply.send(gone()) }) }],
  ['a handler that sends an error with a status and a content type of its own', (app) => {
    app.get('/', (request, reply) => { reply.code(418).type('text/html').send(new Error('tea')) })
  }],
  ['a handler that sends 404 itself', (app) => { app.get('/', async (request, reply) => reply.code(404).send({ missing: true })) }],
  ['a hook that throws', (app) => {
    app.addHook('preHandler', async () => { throw gone() })
    app.get('/', async () => 'ok')
  }],
  ['a custom error handler that replies', (app) => {
    app.setErrorHandler(async (_error, request, reply) => reply.code(422).type('text/plain').send('no'))
    app.get('/', async () => { throw gone() })
  }],
  ['a custom error handler that returns a value', (app) => {
    app.setErrorHandler(async (_error, request, reply) => {
      reply.code(422)
      return { mine: true }
    })
    app.get('/', async () => { throw gone() })
  }],
  ['a custom error handler that sends its error', (app) => {
    app.setErrorHandler((error, request, reply) => { reply.code(422).send(error) })
    app.get('/', async () => { throw gone() })
  }],
  ['a custom error handler that throws its error', (app) => {
    app.setErrorHandler(async (error) => { throw error })
    app.get('/', async () => { throw gone() })
  }],
  ['custom error handlers in each other that send their error', (app) => {
    app.setErrorHandler(async (error, request, reply) => reply.code(422).send(error))
    app.register(async (child) => {
      child.setErrorHandler(async (error, request, reply) => reply.code(421).send(error))
      child.get('/', { errorHandler: (error, request, reply) => { reply.code(420).send(error) } }, async () => { throw gone() })
    })
  }],
  ['an error with a status in a response schema', (app) => {
    const response = { '4xx': { type: 'object', properties: { message: { type: 'string' } } } }
    app.get('/', { schema: { response } }, async () => { throw gone() })
  }],
  ['an unknown route', () => {}],
  ['a not found handler that replies', (app) => { app.setNotFoundHandler(async (request, reply) => reply.code(404).type('text/html').send('gone')) }],
  ['a not found handler that throws', (app) => { app.setNotFoundHandler(async () => { throw gone() }) }],
  ['callNotFound', (app) => { app.get('/', (request, reply) => { reply.callNotFound() }) }],
  ['a validation error', (app) => {
    app.get('/', { schema: { querystring: { type: 'object', required: ['n'] } } }, async () => 'ok')
  }]
]

t.test('when nothing can be stored the client gets 503 FST_BGT_ENGINE, also instead of the error reply of', async (t) => {
  for (const [title, setup] of rows) {
    t.test(title, async (t) => {
      const engine = createDistantEngine(() => ({ add: async () => { throw new Error('no room') } }))
      const app = await createApp(t, { engine, tasks: [note] }, { forceCloseConnections: true })
      const tasks: Task[] = []
      app.addHook('onRequest', async (request) => { tasks.push(request.backgroundTasks.add(note, {}, { when: 'always' })) })
      setup(app)
      const response = await fetch(`http://127.0.0.1:${await portOf(app)}/`)
      t.equal(response.status, 503)
      t.match(response.headers.get('content-type'), 'application/json')
      t.match(await response.json(), { statusCode: 503, code: 'FST_BGT_ENGINE', error: 'Service Unavailable' })
      await app.backgroundTasks.idle({ timeout: 3000 })
      t.equal(engine.batches.length, 1)
      t.same(tasks.map(({ state }) => state), ['failed'])
    })
  }
})

t.test('the 503 of an engine that does not answer does not wait for it once more, whatever is left to store', async (t) => {
  const engine = createDistantEngine(() => ({ add: () => new Promise(() => {}) }))
  const app = await createApp(t, { engine, tasks: [note], storeTimeout: 50 })
  const tasks: Task[] = []
  app.get('/', async (request) => {
    for (const when of ['always', 'error'] as const) tasks.push(request.backgroundTasks.add(note, {}, { when }))
  })
  // Behind the plugin's own, so that only the error reply gets here.
  let asked: number | undefined
  app.addHook('onSend', async () => { asked = engine.batches.length })
  const response = await app.inject('/')
  t.equal(response.statusCode, 503)
  t.equal(asked, 1)
  await app.backgroundTasks.idle()
  t.match(tasks, [{ state: 'failed', error: { code: 'FST_BGT_ENGINE' } }, { state: 'failed', error: { code: 'FST_BGT_ENGINE' } }])
})
