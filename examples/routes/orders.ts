import { randomUUID } from 'node:crypto'
import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
import { notifyWarehouse } from '../tasks/notify-warehouse.js'
import { sendReceipt } from '../tasks/send-receipt.js'

const schema = {
  body: Type.Object({ item: Type.String(), email: Type.String({ format: 'email' }) }),
  response: { 201: Type.Object({ id: Type.String() }) }
}

/** POST /orders has two tasks. While the warehouse cannot be reached the first one fails; the second runs all the same. */
export const orders: FastifyPluginAsyncTypebox<{ warehouseUrl: string }> = async (app, { warehouseUrl }) => {
  const retry = { retries: 1, delay: 100 }

  app.post('/orders', { schema }, async (req, reply) => {
    const order = { id: randomUUID(), ...req.body }
    req.backgroundTasks.add({ timeout: 5000, retry }, notifyWarehouse, warehouseUrl, order)
    req.backgroundTasks.add(sendReceipt, app.mailer, order)
    return reply.code(201).send({ id: order.id })
  })
}
