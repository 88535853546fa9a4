import { randomUUID } from 'node:crypto'
import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
import { sendWelcomeEmail } from '../tasks/send-welcome-email.js'

const schema = {
  body: Type.Object({ email: Type.String({ format: 'email' }) }),
  response: { 201: Type.Object({ id: Type.String() }) }
}

/** POST /signup answers at once; the welcome e-mail is sent afterwards. */
export const signup: FastifyPluginAsyncTypebox = async (app) => {
  const users = new Map<string, { email: string }>()

  app.post('/signup', { schema }, async (req, reply) => {
    const id = randomUUID()
    users.set(id, { email: req.body.email })
    req.backgroundTasks.add(sendWelcomeEmail, app.mailer, req.body.email)
    return reply.code(201).send({ id })
  })
}
