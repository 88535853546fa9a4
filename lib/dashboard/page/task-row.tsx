import { useMemo } from 'preact/hooks'
import type { TaskState } from '../../../types/index.js'
import type { ListedEntry } from '../view.js'
import { ActionsOfTask } from './actions-of-task.js'
import { useNow } from './clock.js'
import { duration } from './format.js'
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
function Now ({ task }: { task: ListedEntry }) {
  if (task.error !== undefined) {
    const text = `${task.error.code ?? task.error.name}: ${task.error.message}`
    return <span class={task.state === 'failed' ? 'error' : ''} title={text}>{task.error.message}</span>
  }
  if (task.state === 'delayed' && task.nextRunAt !== undefined) return <>runs <Ago at={task.nextRunAt} /></>
  if (task.progress !== undefined) return <Progress value={task.progress} label={`Progress of ${task.name}`} />
  return null
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
        <td role='cell' class='note'>{isGone ? <em>not {state} any more</em> : <Now task={task} />}</td>
        <td role='cell' class='actions'>{!isGone && <ActionsOfTask task={task} describedBy={`task-${task.id}`} isSmall onActed={onActed} />}</td>
      </tr>
    )
  }, [task, state, isGone])
}
