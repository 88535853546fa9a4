import type { ListedTask } from '../../types/index.js'
import type { Services } from '../stored/services.js'
import type { RecordedTask } from './recorded-task.js'
import { snapshotLane } from './snapshot-lane.js'
import type { Lane, TaskKind } from './view.js'

/** The lane of one task, with times from when it was added: as it was recorded, or else what its snapshot tells. */
export function taskLane (services: Services, task: ListedTask, recorded: RecordedTask | undefined): Lane {
  if (recorded !== undefined) return recorded.lane(recorded.added)
  const { id, name, createdAt, where } = task
  const since = (iso: string): number => Math.max(0, Date.parse(iso) - Date.parse(createdAt))
  return {
    number: 0,
    name,
    kind: kindOf(services, task),
    id,
    added: 0,
    ...snapshotLane(task, since),
    ...(where === 'stored' && { isElsewhere: true as const })
  }
}

function kindOf ({ history, registry }: Services, { id, name }: ListedTask): TaskKind {
  if (history.findFinished(id)?.isStored === false) return 'function'
  return registry.find(name)?.startsLate === true ? 'file' : 'registered'
}
