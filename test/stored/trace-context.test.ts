import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { type Context, ROOT_CONTEXT, type TextMapPropagator, context, createContextKey, propagation } from '@opentelemetry/api'
import { Type } from '@sinclair/typebox'
import Fastify from 'fastify'
import t from 'tap'
import backgroundTasks, { type Engine, defineTask } from '../../index.js'
import { memoryEngine } from '../../lib/engines/memory/memory-engine.js'
import { createLatch } from '../support/latch.js'

const kTrace = createContextKey('trace')

/** Carries one value of the context, as a real propagator carries the ids of trace and span. */
const propagator: TextMapPropagator = {
  inject (active: Context, carrier: any) {
    const trace = active.getValue(kTrace)
    if (trace !== undefined) carrier.traceparent = trace
  },
  extract: (active: Context, carrier: any) => active.setValue(kTrace, carrier.traceparent),
  fields: () => ['traceparent']
}

/** Tasks run as in another process: not as the Task that `add` returned. */
function remoteEngine (): Engine {
  const { findLocal, ...engine } = bindAll(memoryEngine())
  return engine
}

function bindAll (engine: Engine): Engine {
  const { start, add, get, cancel, watch, pause, close } = engine
  return Object.fromEntries(Object.entries({ start, add, get, cancel, watch, pause, close })
    .map(([name, method]) => [name, (method as Function).bind(engine)])) as unknown as Engine
}

t.test('with OpenTelemetry', async (t) => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(propagator)
  t.teardown(() => {
    context.disable()
    propagation.disable()
  })

  for (const [where, engine] of Object.entries({ 'this process': memoryEngine(), another: remoteEngine() })) {
    t.test(`a stored task that runs in ${where} goes on with the trace of its request`, async (t) => {
      const seen: unknown[] = []
      const bothRan = createLatch()
      const work = defineTask({
        name: 'work',
        payload: Type.Object({}),
        async handler () { if (seen.push(context.active().getValue(kTrace)) === 2) bothRan.resolve() }
      })
      const app = Fastify()
      t.teardown(() => app.close())
      await app.register(backgroundTasks, { tasks: [work], engine })
      app.get('/', async (request) => {
        context.with(ROOT_CONTEXT.setValue(kTrace, 'trace of the request'), () => request.backgroundTasks.add(work, {}))
        request.backgroundTasks.add(work, {})
        return 'ok'
      })
      await app.inject('/')
      await bothRan.promise
      t.same(seen, ['trace of the request', undefined])
    })
  }
})
