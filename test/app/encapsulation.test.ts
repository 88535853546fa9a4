import fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import backgroundTasks, { backgroundTasks as named } from '../../index.js'
import * as everything from '../../index.js'
import { Probe, actualRuns, expectedRuns } from '../support/probe.js'
import { transports } from '../support/transports.js'

/** A route that adds tasks to its request. */
function addRoute (app: FastifyInstance, probe: Probe, url: string): void {
  app.get(url, async (request, reply) => {
    probe.watch(request, reply)
    probe.add(request)
    return 'hello'
  })
}

for (const transport of transports) {
  t.test(`over ${transport.name}, routes`, async (t) => {
    const places: Record<string, (app: FastifyInstance, probe: Probe) => Promise<unknown>> = {
      'of the same instance have their tasks run': async (app, probe) => {
        await app.register(backgroundTasks)
        addRoute(app, probe, '/child/route')
      },
      'declared before the plugin is loaded have their tasks run': async (app, probe) => {
        app.register(backgroundTasks)
        addRoute(app, probe, '/child/route')
      },
      'declared before the plugin is registered have their tasks run': async (app, probe) => {
        addRoute(app, probe, '/child/route')
        await app.register(backgroundTasks)
      },
      'of a prefixed child have their tasks run': async (app, probe) => {
        await app.register(backgroundTasks)
        app.register(async (child) => { addRoute(child, probe, '/route') }, { prefix: '/child' })
      },
      'of a grandchild have their tasks run': async (app, probe) => {
        await app.register(backgroundTasks)
        app.register(async (child) => {
          child.register(async (grandchild) => { addRoute(grandchild, probe, '/route') })
        }, { prefix: '/child' })
      },
      'of a child registered before the plugin have their tasks run': async (app, probe) => {
        app.register(async (child) => { addRoute(child, probe, '/route') }, { prefix: '/child' })
        await app.register(backgroundTasks)
      },
      'beside the plugin in a child have their tasks run': async (app, probe) => {
        app.register(async (child) => {
          await child.register(backgroundTasks)
          addRoute(child, probe, '/route')
          // Only the child knows the plugin, so the parent has no `backgroundTasks` of its own.
          Object.defineProperty(app, 'backgroundTasks', { value: child.backgroundTasks })
        }, { prefix: '/child' })
      }
    }
    for (const [title, setup] of Object.entries(places)) {
      t.test(title, async (t) => {
        const probe = new Probe()
        const app = transport.create()
        t.teardown(() => app.close())
        await setup(app, probe)
        t.match(await transport.call(app, { url: '/child/route' }), { status: 200 })
        await probe.settled(app)
        await app.close()
        t.same(actualRuns(probe), expectedRuns({ outcome: 'sent', statusCode: 200 }))
      })
    }
  })
}

t.test('registering the plugin twice rejects with FST_ERR_DEC_ALREADY_PRESENT', async (t) => {
  const app = fastify()
  await app.register(backgroundTasks)
  await t.rejects(async () => { await app.register(backgroundTasks) }, { code: 'FST_ERR_DEC_ALREADY_PRESENT' })
})

t.test('registering the plugin again in a child rejects with FST_ERR_DEC_ALREADY_PRESENT', async (t) => {
  const app = fastify()
  await app.register(backgroundTasks)
  app.register(async (child) => { await child.register(backgroundTasks) })
  await t.rejects(async () => { await app.ready() }, { code: 'FST_ERR_DEC_ALREADY_PRESENT' })
})

t.test('siblings may each have the plugin', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  const ran: string[] = []
  for (const name of ['one', 'two']) {
    app.register(async (child) => {
      await child.register(backgroundTasks)
      child.get(`/${name}`, async (request) => {
        request.backgroundTasks.add(() => { ran.push(name) })
        return name
      })
      child.addHook('onClose', async () => { ran.push(`${name} closed`) })
    })
  }
  await app.inject('/one')
  await app.inject('/two')
  await app.close()
  t.same(ran.slice(0, 2), ['one', 'two'])
  t.same(ran.slice(2).sort(), ['one closed', 'two closed'])
})

t.test('outside its context there is no backgroundTasks', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  app.register(async (child) => { await child.register(backgroundTasks) })
  app.get('/', async (request) => ({ has: request.backgroundTasks !== undefined }))
  t.same((await app.inject('/')).json(), { has: false })
  t.equal(app.backgroundTasks, undefined)
})

t.test('it is known to Fastify as fastify-background-tasks', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  t.ok(app.hasPlugin('fastify-background-tasks'))
})

t.test('the HEAD route of a GET route runs its tasks, with the options of the route', async (t) => {
  const app = fastify({ exposeHeadRoutes: true })
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  let ran = 0
  app.get('/', { config: { backgroundTasks: { when: 'error' } } }, async (request) => {
    request.backgroundTasks.add(() => { ran++ })
    request.backgroundTasks.add({ when: 'always' }, () => { ran += 10 })
    return 'hello'
  })
  for (const method of ['HEAD', 'GET'] as const) {
    t.equal((await app.inject({ method, url: '/' })).statusCode, 200)
    await app.backgroundTasks.idle()
  }
  t.equal(ran, 20, 'of each two tasks, only the one for every response ran')
})

t.test('the register options of Fastify are let through', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(backgroundTasks, { prefix: '/v1', logLevel: 'warn', logSerializers: {}, closeTimeout: 1 } as object)
  t.ok(app.hasDecorator('backgroundTasks'))
})

t.test('a plugin that depends on it by name loads after it', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(backgroundTasks)
  const dependent = Object.assign(async () => {}, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('plugin-meta')]: {
      name: 'dependent',
      dependencies: ['fastify-background-tasks'],
      decorators: { fastify: ['backgroundTasks'], request: ['backgroundTasks'] }
    }
  })
  await app.register(dependent)
  t.ok(app.hasPlugin('dependent'))
})

t.test('the default export is the plugin under every name that interop gives it', async (t) => {
  t.equal(backgroundTasks, named)
  t.equal((backgroundTasks as unknown as { default: unknown }).default, backgroundTasks)
  const app = fastify()
  t.teardown(() => app.close())
  // What `require` gives: an object with the plugin as `default`.
  await app.register(everything as unknown as typeof backgroundTasks)
  t.ok(app.hasDecorator('backgroundTasks'))
})

t.test('options of the plugin may come from a function of the instance', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(backgroundTasks, () => ({ closeTimeout: 1 }))
  t.ok(app.hasDecorator('backgroundTasks'))
})
