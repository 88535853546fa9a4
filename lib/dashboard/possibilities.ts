import type { ListedTask, TaskSnapshot } from '../../types/index.js'
import { isFinal } from '../base/snapshot.js'
import type { Services } from '../stored/services.js'

/** What a viewer may do with a task now. */
export function possibilities (
  { client, history }: Services, { id, state }: TaskSnapshot, where: ListedTask['where'] | undefined, canAct: boolean
): { canRetry: boolean, canCancel: boolean } {
  const isUnlucky = state === 'failed' || state === 'cancelled'
  const isStored = where === 'stored' || (history.findFinished(id)?.isStored ?? client.isLocal)
  return { canRetry: canAct && isUnlucky && isStored && client.engine.retry !== undefined, canCancel: canAct && !isFinal(state) }
}
