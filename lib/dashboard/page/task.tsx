import { useEffect } from 'preact/hooks'
import { ActionsOfTask } from './actions-of-task.js'
import { type Entries, entryOf } from './entries.js'
import { Heading } from './heading.js'
import { Progress } from './progress.js'
import { replaceHash, requestHash } from './route.js'
import { StateWord } from './state-icon.js'
import { TaskFacts } from './task-facts.js'
import { TimeLine } from './time-line.js'
import { Value } from './value.js'

interface Props {
  entries: Entries
  hasView: boolean
  id: string
}

/** All that is known of one task. */
export function Task ({ entries, hasView, id }: Props) {
  const task = entryOf(entries, 'task')
  const request = entryOf(entries, 'found')?.request
  useEffect(() => { if (request !== undefined) replaceHash(requestHash(request)) }, [request])
  if (task === undefined) {
    return (
      <>
        <Heading>{hasView ? 'Nothing has this id' : 'Task'}</Heading>
        {hasView && <p>No task and no recorded request has the id <code>{id}</code>. Ended tasks are forgotten after a while.</p>}
      </>
    )
  }
  return (
    <>
      <div class='title'>
        <Heading><span id='task-name'>{task.name}</span> <StateWord state={task.state} /></Heading>
        <div class='actions'><ActionsOfTask task={task} describedBy='task-name' /></div>
      </div>
      {task.progress !== undefined && <Progress value={task.progress} label='Progress' />}
      {task.error !== undefined && (
        <section class={`error-box ${task.state}`} aria-labelledby='error'>
          <h2 id='error'>{task.state === 'cancelled' ? 'Why it was cancelled' : task.state === 'failed' ? 'Error' : 'Error of the last attempt'}</h2>
          <p><b>{task.error.code ?? task.error.name}</b> {task.error.message}</p>
        </section>
      )}
      <TaskFacts task={task} />
      {task.lane !== undefined && (
        <section aria-labelledby='attempts'>
          <h2 id='attempts'>Attempts</h2>
          <TimeLine lanes={[task.lane]} hasRequest={false} startedAt={new Date(task.createdAt).getTime()} />
        </section>
      )}
      {'result' in task && <Value title='Result' value={task.result} />}
      {task.payload !== undefined && <Value title='Payload' value={task.payload.value} />}
    </>
  )
}
