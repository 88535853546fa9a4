import type { StoredTask } from '../../types/index.js'
import type { Definition } from '../named/definition.js'
import type { Registry } from '../named/registry.js'
import type { ResolvedTaskOptions } from '../options/task-options.js'

/** The options of a task that an engine hands out. The outbox has judged `when` before the task was stored. */
export function storedOptions ({ timeout, retry }: StoredTask, definition: Definition, registry: Registry): ResolvedTaskOptions {
  const retryIf = retry?.conditional === true ? registry.retryIfOf(definition) : undefined
  return {
    when: 'always',
    timeout,
    retry: retry && { ...retry, retryIf },
    around: registry.aroundOf(definition),
    hasResult: definition.toResult !== undefined,
    startsLate: definition.startsLate
  }
}
