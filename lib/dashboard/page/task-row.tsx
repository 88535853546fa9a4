import { useMemo } from 'preact/hooks'
import type { TaskState } from '../../../types/index.js'
import type { ListedEntry } from '../view.js'
import { ActionsOfTask } from './actions-of-task.js'
import { useNow } from './clock.js'
import { duration, json } from './format.js'
import { Progress } from './progress.js'
import { taskHash } from './route.js'
import { isEnded } from './states.js'
import { Ago } from './times.js'

interface Props {
  task: ListedEntry
  state: TaskState
  isGone: boolean
  onActed: () => void
}

const between = (from: string | undefined, to: string | undefined): string =>
  from === undefined || to === undefined ? '–' : duration(new Date(to).getTime() - new Date(from).getTime())

/** How long the task has been in its state. */
function Since ({ at }: { at: string }) {
  return <>{duration(Math.max(0, Math.floor((useNow(1000) - new Date(at).getTime()) / 1000) * 1000))}</>
}

/** What there is to say of the state. */
function Note ({ task }: { task: ListedEntry }) {
  const { error, nextRunAt, progress, result, state } = task
  if (error !== undefined) {
    return (
      <span class={state} title={`${error.code ?? error.name}: ${error.message}`}>
        {state === 'delayed' && nextRunAt !== undefined && <><Ago at={nextRunAt} />, after </>}{error.message}
      </span>
    )
  }
  if (state === 'delayed' && nextRunAt !== undefined) return <Ago at={nextRunAt} />
  if (state === 'completed') return result === undefined ? null : <code>{json(result)}</code>
  return progress === undefined ? null : <Progress value={progress} label={`Progress of ${task.name}`} />
}

export function TaskRow ({ task, state, isGone, onActed }: Props) {
  return useMemo(() => {
    const began = state === 'active' ? task.startedAt ?? task.createdAt : task.createdAt
    const about = [task.where === 'stored' && 'in the store', task.key !== undefined && `key ${task.key}`, task.reqId !== undefined && `request ${task.reqId}`]
    return (
      <tr role='row' class={isGone ? 'gone' : ''}>
        <th role='rowheader' scope='row' id={`task-${task.id}`}>
          <a class='stretched' href={taskHash(task.id)}>{task.name}</a>
          <small>{about.filter((part) => part !== false).join(' · ') || task.id}</small>
        </th>
        <td role='cell'><Ago at={isEnded(state) ? task.finishedAt ?? task.createdAt : task.createdAt} /></td>
        <td role='cell' class='number' data-label={isEnded(state) ? 'took' : 'for'}>
          {isEnded(state) ? between(task.startedAt, task.finishedAt) : <Since at={began} />}
        </td>
        <td role='cell' class='number' data-label='attempt'>{task.attempt}</td>
        <td role='cell' class='note'>{isGone ? <em>{isEnded(state) ? 'not on this page any more' : `not ${state} any more`}</em> : <Note task={task} />}</td>
        <td role='cell' class='actions'>{!isGone && <ActionsOfTask task={task} describedBy={`task-${task.id}`} isSmall onActed={onActed} />}</td>
      </tr>
    )
  }, [task, state, isGone])
}
