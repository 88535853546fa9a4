import type { FastifyInstance } from 'fastify'
import t from 'tap'
import backgroundTasks from '../../index.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { transports } from '../support/transports.js'

const limitMs = 100

/** What another plugin's onResponse hook may do wrong. */
const hooks: Record<string, (app: FastifyInstance) => void> = {
  throws (app) {
    app.addHook('onResponse', (_request, _reply, _done): void => { throw new Error('hook') })
  },
  rejects (app) {
    app.addHook('onResponse', async () => { throw new Error('hook') })
  },
  'calls done with an error' (app) {
    app.addHook('onResponse', (_request, _reply, done) => { done(new Error('hook')) })
  },
  'never calls done' (app) {
    app.addHook('onResponse', (_request, _reply, _done) => {})
  },
  'never resolves' (app) {
    app.addHook('onResponse', () => new Promise(() => {}))
  }
}

for (const transport of transports) {
  for (const [deed, addTo] of Object.entries(hooks)) {
    for (const position of ['earlier', 'later']) {
      t.test(`over ${transport.name}, an onResponse hook registered ${position} that ${deed} hardly delays tasks`, async (t) => {
        for (const status of [200, 500]) {
          const probe = new Probe()
          const app = transport.create()
          t.teardown(() => app.close())
          if (position === 'earlier') addTo(app)
          await app.register(backgroundTasks)
          if (position === 'later') addTo(app)
          app.get('/', async (request, reply) => {
            probe.watch(request, reply)
            probe.add(request)
            return reply.code(status).send('hello')
          })

          t.match(await transport.call(app, {}), { status, body: 'hello' })
          await probe.settled(app)
          await app.close()

          t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: status }))
          t.ok(probe.runs.every(({ delay }) => delay <= limitMs), `within ${limitMs} ms of the response`)
        }
      })
    }
  }
}
