import type { ResponseEnd, When } from '../../types/index.js'

/** Whether a response meets the option `when` of a task. Without a response every task is wanted. */
export function isWanted (when: When, response: ResponseEnd | undefined): boolean {
  if (when === 'always' || response === undefined) return true
  return response.outcome === 'sent' && (response.statusCode < 400) === (when === 'success')
}
