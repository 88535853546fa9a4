import Fastify, { type FastifyRequest } from 'fastify'
import backgroundTasks from '../../index.js'

const TASKS = 20

/** Stands for work that holds the event loop for a millisecond. */
function block (): void {
  const end = performance.now() + 1
  while (performance.now() < end);
}

/** An app whose requests to /burst add tasks that block. Without the plugin, an onResponse hook runs them, as one writes it by hand. */
export async function buildBurstApp (withPlugin: boolean) {
  const app = Fastify()
  app.get('/', async () => 'hello')

  if (withPlugin) {
    await app.register(backgroundTasks)
    app.get('/burst', async (req) => {
      for (let i = 0; i < TASKS; i++) req.backgroundTasks.add(block)
      return 'accepted'
    })
  } else {
    const lists = new WeakMap<FastifyRequest, Array<() => void>>()
    app.get('/burst', async (req) => {
      lists.set(req, Array.from({ length: TASKS }, () => block))
      return 'accepted'
    })
    app.addHook('onResponse', async (req) => {
      for (const task of lists.get(req) ?? []) await task()
    })
  }
  return app
}
