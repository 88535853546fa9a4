import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import { type TypeBoxTypeProvider, Type } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyServerOptions } from 'fastify'
// In an app of your own: from 'fastify-background-tasks' and its subpaths '/bullmq', '/dashboard' and '/routes'
import backgroundTasks, { type NamedTask } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { dashboard } from '../../lib/dashboard.js'
import { taskRoutes } from '../../lib/routes.js'
import { onlyThisMachine } from '../hooks/only-this-machine.js'
import { countWords } from './count-words.js'

export interface QueueAppOptions {
  redis: { host: string, port: number }
  /** Whether this process also runs what is stored. */
  worker: boolean
  /** The declarations in a web process, the implementations in a worker. */
  tasks: NamedTask[]
  logger?: FastifyServerOptions['logger']
}

/** The same app for web processes and workers. */
export async function buildQueueApp ({ redis, worker, tasks, logger = false }: QueueAppOptions) {
  const app = Fastify({ logger }).withTypeProvider<TypeBoxTypeProvider>()

  // Without this line tasks are kept in memory, and run in the process that added them.
  const engine = bullmqEngine({ connection: redis })
  await app.register(backgroundTasks, { tasks, engine, worker })

  // In an app of your own: behind a log-in, as whoever knows an id can read and cancel.
  await app.register(taskRoutes, { prefix: '/texts', cancel: true })

  app.post('/texts', {
    schema: { body: Type.Object({ text: Type.String() }) }
  }, async (request, reply) => {
    const task = request.backgroundTasks.add(countWords, { text: request.body.text })
    return await reply.code(202).header('location', `/texts/${task.id}`).send({ id: task.id })
  })

  // In an app of your own: behind a log-in. The board of BullMQ shows every payload.
  if (!worker) {
    await app.register(dashboard, { prefix: '/background-tasks', onRequest: onlyThisMachine, actions: true })
    const board = new FastifyAdapter()
    createBullBoard({ queues: [new BullMQAdapter(engine.queue)], serverAdapter: board })
    board.setBasePath('/admin/queues')
    await app.register(board.registerPlugin(), { prefix: '/admin/queues' })
  }

  return app
}
