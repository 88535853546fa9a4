import type { ResponseEnd } from '../../../index.js'
import type { TaskPlan } from './plan.js'

/** Whether a task wants such a response. Without one there is nothing to judge. */
export function isWanted (when: TaskPlan['when'], response: ResponseEnd | undefined): boolean {
  if (when === undefined || response === undefined) return true
  return response.outcome === 'sent' && (response.statusCode < 400) === (when === 'success')
}
