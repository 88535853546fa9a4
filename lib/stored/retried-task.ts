import type { StoredTask } from '../../types/index.js'
import type { Owner } from '../task/task.js'
import { Outbox } from './outbox.js'
import { RegisteredTask } from './registered-task.js'
import type { Services } from './services.js'
import { storedOptions } from './stored-options.js'
import { withTrace } from './trace-context.js'

/**
 * Makes the function that takes in a task which waits again in a local engine. The task is a new object, in the list of
 * `listFor`. The object that `add` returned stays as it ended.
 */
export function createRetried (services: Services, listFor: (stored: StoredTask) => Owner): (stored: StoredTask) => void {
  const { client, executor, history, registry } = services
  const keeper = new Outbox(client, executor)
  return (stored) => {
    // The guests of a shared store are made when they run.
    if (!client.isLocal) return
    const definition = registry.find(stored.name)!
    const options = storedOptions(stored, definition, registry)
    const task = withTrace(stored.trace, () => new RegisteredTask(listFor(stored), definition.run, [], options, stored, keeper))
    history.reopen(task, stored.id)
    task.owner.push(task)
    client.receiveHere(task)
  }
}
