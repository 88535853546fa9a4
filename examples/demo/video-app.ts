import Fastify from 'fastify'
import { setTimeout as sleep } from 'node:timers/promises'
import backgroundTasks, { Type, defineTask, implementTask } from '../../index.js'
import { bullmqEngine } from '../../lib/bullmq.mjs'
import { taskRoutes } from '../../lib/routes.js'

const renderVideo = defineTask({ name: 'renderVideo', payload: Type.Object({}) })

const renderHere = implementTask(renderVideo, {
  async handler () { await sleep(400) }
})

/** A web process, or a worker of the same app. */
export async function buildVideoApp (port: number, worker: boolean) {
  const app = Fastify()
  await app.register(backgroundTasks, {
    tasks: [worker ? renderHere : renderVideo],
    worker,
    // Shorter than the defaults: a demo has little time.
    engine: bullmqEngine({ connection: { host: '127.0.0.1', port }, lockDuration: 1000, stalledInterval: 200 })
  })
  await app.register(taskRoutes, { prefix: '/videos' })
  app.post('/videos', async (req, reply) => {
    const { id } = req.backgroundTasks.add(renderVideo, {})
    return reply.code(202).header('location', `/videos/${id}`).send()
  })
  return app
}
