import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { ResolvedRouteOptions } from '../options/task-options.js'
import type { Services } from '../stored/services.js'
import { TaskList } from './task-list.js'

/** The list of one task that another process may have added. It makes its logger when a line is to be written. */
export class GuestList extends TaskList {
  #ownLog: FastifyBaseLogger | undefined = undefined

  constructor (services: Services, options: ResolvedRouteOptions, server: FastifyInstance, reqId: string | undefined) {
    super(services, options, { server, log: server.log, reqId })
  }

  override get log (): FastifyBaseLogger {
    return (this.#ownLog ??= this.reqId === undefined ? super.log : super.log.child({ reqId: this.reqId }))
  }
}
