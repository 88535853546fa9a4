import Fastify from 'fastify'
import t from 'tap'
import { dashboard } from '../../lib/dashboard.js'
import { createScene } from '../support/dashboard.js'
import { createApp } from '../support/app.js'

const hook = async (): Promise<void> => {}

const wrong: Array<[title: string, options: object, message: string]> = [
  ['no onRequest', {}, 'option "onRequest" must be a hook or an array of hooks that let nobody in who may not see the tasks. ' +
    'Give [] where something around the dashboard does so, received undefined'],
  ['no hook', { onRequest: true }, 'option "onRequest" must be a hook or an array of hooks'],
  ['something that is no hook', { onRequest: [hook, 'admin'] }, 'option "onRequest" must be a hook or an array of hooks'],
  ['actions of a wrong type', { onRequest: hook, actions: 'yes' }, 'option "actions" must be true, false or a function, received "yes"'],
  ['payload of a wrong type', { onRequest: hook, payload: 1 }, 'option "payload" must be true, false or a function, received 1'],
  ['an unknown option', { onRequest: hook, action: true }, 'unknown option "action", received true']
]

for (const [title, options, message] of wrong) {
  t.test(`register throws with ${title}`, async (t) => {
    const app = await createApp(t)
    const problem = { code: 'FST_BGT_INVALID_OPTIONS', message: new RegExp(`^${message.replace(/[[\].]/g, '\\$&')}`) }
    await t.rejects(async () => { await app.register(dashboard, { prefix: '/tasks', logLevel: 'error', ...options } as any) }, problem)
  })
}

t.test('the dashboard needs the plugin', async (t) => {
  const app = Fastify()
  app.register(dashboard, { onRequest: [] })
  await t.rejects(async () => { await app.ready() }, { message: /dependency 'fastify-background-tasks' of plugin 'fastify-background-tasks-dashboard'/ })
})

t.test('an empty array lets everybody in, and logs one line with the URL', async (t) => {
  const { log, ask } = await createScene(t, { dashboard: { onRequest: [] } })
  t.equal((await ask('')).status, 200)
  t.match(log.taskLines(), [{ level: 'warn', url: '/background-tasks', msg: /^the dashboard of background tasks lets everybody in/ }])
  t.equal(log.taskLines().length, 1)
})

t.test('without a prefix that URL is /', async (t) => {
  const { log } = await createScene(t, { dashboard: { onRequest: [], prefix: '' } as object })
  t.match(log.taskLines(), [{ level: 'warn', url: '/' }])
})

t.test('with hooks there is no such line, and all of them are called in their order for page, assets, stream and actions', async (t) => {
  const calls: string[] = []
  const { log, ask, act } = await createScene(t, {
    dashboard: {
      actions: true,
      onRequest: [
        async () => { calls.push('first') },
        (req, reply, done) => {
          calls.push('second')
          if (req.headers['x-admin'] === undefined) reply.code(401).send({})
          else done()
        },
        async () => { calls.push('third') }
      ]
    }
  })
  const paths = ['', '/', '?asset=none', '/live?view=overview', '/nowhere']
  for (const path of paths) t.equal((await ask(path)).status, 401)
  t.equal((await act('id', 'retry', { 'content-type': 'text/plain' })).status, 401, 'also before the checks of an action')
  t.same(calls, Array(6).fill(['first', 'second']).flat())
  calls.length = 0
  t.equal((await ask('', { headers: { 'x-admin': '1' } })).status, 200)
  t.same(calls, ['first', 'second', 'third'])
  t.same(log.taskLines(), [])
})
