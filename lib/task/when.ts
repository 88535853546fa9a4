import type { ResponseEnd, When } from '../../types/index.js'

/** Whether a response is of the kind that a task waits for. Without one there is nothing to judge. */
export function isWanted (when: When, response: ResponseEnd | undefined): boolean {
  if (when === 'always' || response === undefined) return true
  return response.outcome === 'sent' && (response.statusCode < 400) === (when === 'success')
}
