import type { FastifyBaseLogger } from 'fastify'
import type { TaskSnapshot } from '../../types/index.js'
import { errors } from '../errors.js'
import { isThenable } from '../run/attempt.js'
import type { DashboardOptions } from './options.js'

/** What of a payload may be shown. Undefined where nothing may. */
export type ShowPayload = (payload: unknown, task: TaskSnapshot) => { value: unknown } | undefined

export function createShowPayload (option: DashboardOptions['payload'], log: FastifyBaseLogger): ShowPayload {
  if (typeof option !== 'function') return (payload) => option === true ? { value: payload } : undefined
  return (payload, task) => {
    try {
      return toShown(option(structuredClone(payload), task))
    } catch (err) {
      log.warn({ err, task: task.name, taskId: task.id }, 'option "payload" of the dashboard failed: the payload of a background task is not shown')
      return undefined
    }
  }
}

/** The value as JSON. Throws for a promise, which would be shown as an empty object. */
function toShown (value: unknown): { value: unknown } | undefined {
  if (isThenable(value)) throw new errors.FST_BGT_INVALID_OPTIONS('option "payload" must return what may be shown, received a promise')
  const json = JSON.stringify(value)
  return json === undefined ? undefined : { value: JSON.parse(json) }
}
