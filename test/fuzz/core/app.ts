import { Readable } from 'node:stream'
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import backgroundTasks from '../../../index.js'
import { nextTurn } from '../../support/turns.js'
import { checkClosing } from './closing.js'
import type { Network } from './network.js'
import type { Options } from './plan.js'
import type { Visit } from './visit.js'
import type { World } from './world.js'

/** A logger that only counts the failures of tasks. */
function countingLogger (world: World): FastifyBaseLogger {
  const noop = (): void => {}
  const error = ({ taskId }: { taskId?: string } = {}, message?: string): void => {
    if (message !== 'background task failed') return
    const added = world.added.find(({ task }) => task?.id === taskId)
    if (added === undefined) world.report(`a line about ${taskId}, which nobody has added`)
    else added.errorLines++
  }
  const logger = { level: 'error', fatal: noop, error, warn: noop, info: noop, debug: noop, trace: noop, silent: noop, child: () => logger }
  return { ...logger, isLevelEnabled: (level: string) => level === 'error', child: () => logger } as unknown as FastifyBaseLogger
}

async function * chunks (visit: Visit): AsyncGenerator<string, void, undefined> {
  yield 'begin '
  await nextTurn()
  if (visit.plan.reply === 'broken') throw new Error('nothing more')
  yield visit.mark
}

function reply (visit: Visit, reply: FastifyReply): unknown {
  const status = visit.expectedStatus
  switch (visit.plan.reply) {
    case undefined: return reply.code(status).send(visit.mark)
    case 'throw': throw Object.assign(new Error(visit.mark), { statusCode: status })
    case 'hijack':
      reply.hijack()
      reply.raw.statusCode = status
      reply.raw.end(visit.mark)
      return undefined
    default: return reply.code(status).send(Readable.from(chunks(visit)))
  }
}

export async function createApp (world: World, network: Network): Promise<FastifyInstance> {
  // JSON leaves out what is undefined.
  const options: Options = JSON.parse(JSON.stringify(world.plan.options))
  const app = network.create({ loggerInstance: countingLogger(world) })
  const visitOf = (request: FastifyRequest): Visit => world.visits[Number((request.params as { visit: string }).visit)]!

  app.addHook('onRequest', (request, reply, done) => {
    const visit = visitOf(request)
    visit.watch(request, reply)
    world.addAll(visit, 'early')
    done()
  })
  app.addHook('onClose', async () => { checkClosing(world) })
  await app.register(backgroundTasks, {
    closeTimeout: 20,
    ...options,
    tasks: [world.registered],
    onError (error, task) {
      const added = world.find(task)
      if (added === undefined) return world.report(`onError of a task that nobody has added: ${String(error)}`)
      added.onErrors++
    }
  })
  app.addHook('onRequest', (request, reply, done) => {
    world.addAll(visitOf(request), 'onRequest')
    done()
  })
  app.addHook('preHandler', (request, reply, done) => {
    world.addAll(visitOf(request), 'preHandler')
    done()
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    world.addAll(visitOf(request), 'onSend')
    done(null, payload)
  })
  app.addHook('onResponse', (request, reply, done) => {
    world.addAll(visitOf(request), 'onResponse')
    done()
  })
  app.addHook('onClose', async () => { checkClosing(world) })
  app.setErrorHandler((_error, request, reply) => {
    const visit = visitOf(request)
    reply.code(visit.expectedStatus).send(visit.mark)
  })

  const handler = async (request: FastifyRequest, raw: FastifyReply): Promise<unknown> => {
    const visit = visitOf(request)
    finish(world, visit).catch((error) => { world.report(String(error)) })
    world.addAll(visit, 'handler')
    visit.begun.resolve()
    if (visit.plan.abort === 'before') await visit.over.promise
    for (let turn = 0; turn < (visit.plan.turns ?? 0); turn++) await nextTurn()
    world.addAll(visit, 'late')
    visit.isHandled = true
    return reply(visit, raw)
  }
  app.get('/narrow/:visit', handler)
  app.get('/wide/:visit', { config: { backgroundTasks: { requestConcurrency: 3 } } }, handler)
  await app.ready()
  await network.listen(app)
  return app
}

/** What code does that goes on behind the response. */
async function finish (world: World, visit: Visit): Promise<void> {
  await visit.over.promise
  await nextTurn()
  world.addAll(visit, 'after')
  visit.isDone = true
}
