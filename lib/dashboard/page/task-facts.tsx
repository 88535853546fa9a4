import type { ComponentChildren } from 'preact'
import type { TaskEntry } from '../view.js'
import { duration } from './format.js'
import { requestHash } from './route.js'
import { Ago, Exact } from './times.js'

const Fact = ({ name, children }: { name: string, children: ComponentChildren }) => <div><dt>{name}</dt><dd>{children}</dd></div>

const Moment = ({ at }: { at: string }) => <><Ago at={at} /> <small><Exact at={at} /></small></>

const places: Record<NonNullable<TaskEntry['where']>, string> = { process: 'this process', stored: 'the store' }

/** When and where the task was added, ran and ended. */
export function TaskFacts ({ task }: { task: TaskEntry }) {
  const { id, createdAt, startedAt, finishedAt, nextRunAt, attempt, key, reqId, request, where } = task
  return (
    <dl class='facts'>
      <Fact name='Added'><Moment at={createdAt} /></Fact>
      {startedAt !== undefined && <Fact name='Started last'><Moment at={startedAt} /></Fact>}
      {nextRunAt !== undefined && <Fact name='Runs next'><Moment at={nextRunAt} /></Fact>}
      {finishedAt !== undefined && <Fact name='Ended'><Moment at={finishedAt} /></Fact>}
      {startedAt !== undefined && finishedAt !== undefined && (
        <Fact name='Last attempt took'>{duration(new Date(finishedAt).getTime() - new Date(startedAt).getTime())}</Fact>
      )}
      <Fact name='Attempt'>{attempt}</Fact>
      {where !== undefined && <Fact name='Seen in'>{places[where]}</Fact>}
      {key !== undefined && <Fact name='Key'><code>{key}</code></Fact>}
      {(request !== undefined || reqId !== undefined) && (
        <Fact name='Request'>
          {request !== undefined && <a href={requestHash(request.number)}>{request.method} {request.route}</a>} {reqId !== undefined && <code>{reqId}</code>}
        </Fact>
      )}
      <Fact name='Id'><code>{id}</code></Fact>
    </dl>
  )
}
