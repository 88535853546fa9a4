import type { FastifyInstance } from 'fastify'
import { discardBody, holdBody } from './held-body.js'
import { listOf } from './track-requests.js'

/** Has replies wait until the registered tasks of their request are stored: 503 where they cannot be. */
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
      // Of a reply that has begun, or whose client has gone, Fastify only logs the error of its body.
      if (error === null || reply.raw.headersSent || request.raw.aborted) done(null, payload)
      else done(error)
    }
    const fail = (error: Error & { statusCode: number }): void => {
      list.storesLate = true
      discardBody(payload)
      // Fastify gives an error in the middle of its own error reply the status of that reply.
      reply.code(error.statusCode)
      done(error)
    }
    // A reply that cannot be written makes `done` throw, which is an error of this reply too.
    stored.then(pass, fail).catch(done)
  })
}
