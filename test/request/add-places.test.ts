import { AsyncLocalStorage } from 'node:async_hooks'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { transports } from '../support/transports.js'

const store = new AsyncLocalStorage<string>()

/** Adds a task that notes its place, and whether it finds the async context of that place. */
type AddIn = (request: FastifyRequest, place: string) => void

/** Every hook that has the request, in the order in which Fastify calls them. */
function addHooks (app: FastifyInstance, owner: string, addIn: AddIn): void {
  app.addHook('onRequest', async (request) => { addIn(request, `${owner} onRequest`) })
  app.addHook('preParsing', async (request) => { addIn(request, `${owner} preParsing`) })
  app.addHook('preValidation', async (request) => { addIn(request, `${owner} preValidation`) })
  app.addHook('preHandler', async (request) => { addIn(request, `${owner} preHandler`) })
  app.addHook('preSerialization', async (request) => { addIn(request, `${owner} preSerialization`) })
  app.addHook('onSend', async (request) => { addIn(request, `${owner} onSend`) })
  app.addHook('onError', async (request) => { addIn(request, `${owner} onError`) })
  app.addHook('onResponse', async (request) => { addIn(request, `${owner} onResponse`) })
}

const owners = ['earlier', 'later', 'child']
const inAll = (...hooks: string[]): string[] => hooks.flatMap((hook) => owners.map((owner) => `${owner} ${hook}`))
const before = inAll('onRequest', 'preParsing', 'preValidation', 'preHandler')
const after = [...inAll('onResponse'), 'task']

const routes: Record<string, { status: number, expected: string[] }> = {
  '/child/fine': { status: 200, expected: [...before, 'handler', ...inAll('preSerialization', 'onSend'), ...after] },
  '/child/throws': {
    status: 418,
    // Fastify serializes what an error handler sends like any reply.
    expected: [...before, 'handler', ...inAll('onError'), 'error handler', ...inAll('preSerialization', 'onSend'), ...after]
  }
}

for (const transport of transports) {
  for (const [url, { status, expected }] of Object.entries(routes)) {
    t.test(`over ${transport.name}, one list takes the tasks of every place, in the order added: ${url}`, async (t) => {
      const added: string[] = []
      const ran: string[] = []
      const addIn: AddIn = (request, place) => {
        added.push(place)
        store.run(place, () => request.backgroundTasks.add(() => { ran.push(store.getStore() ?? 'none') }))
      }
      const app = transport.create()
      t.teardown(() => app.close())
      app.register(fp(async (app) => { addHooks(app, 'earlier', addIn) }))
      app.register(backgroundTasks)
      await app.register(fp(async (app) => { addHooks(app, 'later', addIn) }))
      app.register(async (child) => {
        addHooks(child, 'child', addIn)
        child.setErrorHandler(async (_error, request, reply) => {
          addIn(request, 'error handler')
          return reply.code(418).send({})
        })
        child.get('/fine', async (request) => {
          addIn(request, 'handler')
          request.backgroundTasks.add(() => { addIn(request, 'task') })
          return {}
        })
        child.get('/throws', async (request) => {
          addIn(request, 'handler')
          request.backgroundTasks.add(() => { addIn(request, 'task') })
          throw new Error('no')
        })
      }, { prefix: '/child' })

      t.match(await transport.call(app, { url }), { status })
      await app.backgroundTasks.idle({ timeout: 3000 })
      await app.close()
      t.same(added, expected)
      t.same(ran, added)
    })
  }
}
