import type { FastifyRequest } from 'fastify'
import type { DashboardOptions } from './options.js'

/** Whether a request may retry and cancel tasks. */
export async function mayAct (actions: DashboardOptions['actions'], request: FastifyRequest): Promise<boolean> {
  if (typeof actions !== 'function') return actions === true
  try {
    return await actions(request) === true
  } catch (err) {
    request.log.error({ err }, 'option "actions" of the dashboard failed: background tasks stay as they are')
    return false
  }
}
