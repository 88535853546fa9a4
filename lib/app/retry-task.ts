import { nextTurn } from '../base/real-timers.js'
import { errors } from '../errors.js'
import type { Services } from '../stored/services.js'

/**
 * Has the engine run a task again that failed or was cancelled. Resolves to whether it will.
 * @throws FST_BGT_ENGINE when the engine cannot, or does not answer
 */
export async function retryTask ({ admission, client, history }: Services, id: string): Promise<boolean> {
  if (client.engine.retry === undefined) {
    throw new errors.FST_BGT_ENGINE('run again: this engine cannot', { cause: new Error('the engine has no method "retry"') })
  }
  if (client.isLocal) {
    // A local engine learns that a task has ended a little later than its process.
    await nextTurn()
    if (admission.closed) return false
  }
  const isRetried = await client.ask((engine) => engine.retry!(id))
  // A late cancellation may have left the snapshot of the end.
  if (isRetried && !client.isLocal) history.drop(id)
  return isRetried
}
