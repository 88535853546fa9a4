import Fastify from 'fastify'
import backgroundTasks, { Type, defineTask } from '../../index.js'

/** How long a thread may compute. */
const TIMEOUT_MS = 500

/** A task for a worker thread. */
const compute = (name: string) => defineTask({
  name,
  payload: Type.Object({ endless: Type.Boolean() }),
  file: new URL('./compute.js', import.meta.url),
  timeout: TIMEOUT_MS
})

const [endlessLoop, nextTask] = [compute('endlessLoop'), compute('nextTask')]

/** An app with one worker thread. */
export async function buildEndlessApp () {
  const app = Fastify()
  await app.register(backgroundTasks, { threads: { maxThreads: 1 } })
  app.get('/', async () => 'hello')
  app.post('/compute', async (req, reply) => {
    req.backgroundTasks.add(endlessLoop, { endless: true })
    req.backgroundTasks.add(nextTask, { endless: false })
    return reply.code(202).send()
  })
  return app
}
