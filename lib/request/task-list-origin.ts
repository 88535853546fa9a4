import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'

/** The request or the app that a list belongs to. */
export interface TaskListOrigin {
  readonly server: FastifyInstance
  readonly log: FastifyBaseLogger
  readonly reqId?: string | undefined
  /** Undefined in a list of the app, whose tasks need not wait for a response. */
  readonly request?: FastifyRequest
}
