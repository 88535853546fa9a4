import type { FastifyInstance } from 'fastify'
import { discardBody, holdBody } from './held-body.js'
import { listOf } from './track-requests.js'

/** Has each reply wait until the registered tasks of its request are stored. The client gets 503 when storing fails. */
export function storeBeforeSend (app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const list = listOf(request)
    const stored = list?.beforeSend(reply.statusCode)
    if (list === undefined || stored === undefined) {
      done(null, payload)
      return
    }
    const bodyError = holdBody(payload)
    const pass = (): void => {
      const error = bodyError()
      // Fastify itself logs the error of a body when the reply has begun or its client has gone.
      if (error === null || reply.raw.headersSent || request.raw.aborted) done(null, payload)
      else done(error)
    }
    const fail = (error: Error & { statusCode: number }): void => {
      list.storesLate = true
      discardBody(payload)
      // If the reply is an error reply, Fastify would keep its status. The status of the new error is set here.
      reply.code(error.statusCode)
      done(error)
    }
    // `done` throws when the reply cannot be written. The error is then given to `done`.
    stored.then(pass, fail).catch(done)
  })
}
