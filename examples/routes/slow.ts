import { setTimeout as sleep } from 'node:timers/promises'
import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'

const schema = {
  response: { 200: Type.Object({ visits: Type.Integer() }) }
}

/** GET /slow takes a second. Its tasks run all the same when the client does not wait that long. */
export const slow: FastifyPluginAsyncTypebox = async (app) => {
  let visits = 0

  function recordVisit (): void {
    visits++
  }

  function recordReader (): void {
    app.log.info('somebody has read the whole reply')
  }

  app.get('/slow', { schema }, async (req) => {
    req.backgroundTasks.add(recordVisit)
    req.backgroundTasks.add({ when: 'success' }, recordReader)
    await sleep(1000)
    return { visits }
  })
}
