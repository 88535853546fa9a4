import type { TaskState } from '../../../types/index.js'
import { plural } from './format.js'
import type { Route } from './route.js'

const shown: Record<TaskState, [now: string, what: string]> = {
  waiting: ['No task waits.', 'Tasks that wait for their turn are listed here, the oldest first.'],
  active: ['No task runs.', 'Tasks that run now are listed here with their progress, the oldest first.'],
  delayed: ['No task is delayed.', 'Tasks that wait for a retry or for their time are listed here, and when they run next.'],
  completed: ['No completed task is kept.', 'Tasks that have completed are listed here, the latest first, as long as they can be looked up by their id.'],
  failed: ['No task has failed.', 'Tasks that have failed for good are listed here with their error, the latest first, and a button to run them again.'],
  cancelled: ['No cancelled task is kept.', 'Tasks that were cancelled are listed here with the reason, the latest first.'],
  skipped: ['No skipped task is kept.', 'Tasks whose condition was not met, such as when: success after an error, are listed here.']
}

interface Props {
  route: Extract<Route, { view: 'tasks' }>
  scanned: number
  hasMore: boolean
}

/** What will be seen in a list that is empty. */
export function NoTasks ({ route: { state, name, cursor }, scanned, hasMore }: Props) {
  const [now, what] = shown[state]
  if (hasMore) return <p>None of the {plural(scanned, 'task')} looked at fits. There are older ones.</p>
  if (cursor !== undefined) return <p>There are no older tasks.</p>
  if (name !== undefined) return <><p>No {state} task has the name {name}.</p><p>Only whole names are found.</p></>
  return <><p>{now}</p><p>{what}</p></>
}
