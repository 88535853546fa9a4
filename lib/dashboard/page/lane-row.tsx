import type { Lane } from '../view.js'
import { duration } from './format.js'
import { type Course, type Segment, segmentName, segmentsOf } from './lanes.js'
import { taskHash } from './route.js'
import type { Scale } from './scale.js'
import { StateIcon } from './state-icon.js'
import { isEnded, kindWords } from './states.js'

interface Props {
  lane: Lane
  scale: Scale
  now: number
  response: Course['response']
}

function Bar ({ lane, segment, scale }: { lane: Lane, segment: Segment, scale: Scale }) {
  const name = segmentName(lane, segment)
  const left = scale.percent(segment.from)
  if (segment.from > scale.end) return null
  return (
    <span
      role='img' aria-label={name} title={name}
      class={`bar ${segment.kind} ${segment.state} ${segment.isOpen ? 'open' : ''}`}
      style={{ left: `${left}%`, width: `${scale.percent(segment.to) - left}%` }}
    >
      {segment.kind === 'attempt' && <small aria-hidden='true'>{segment.attempt} <i>{duration(segment.to - segment.from)}</i></small>}
    </span>
  )
}

/** Why there is no bar, or what the bars do not say. */
function reasonOf ({ state, when, error, isElsewhere, attempts }: Lane, response: Course['response']): string | undefined {
  if (state === 'skipped') {
    const what = response === undefined ? '' : response.outcome === 'aborted' ? ', but the response did not get out' : `, but the response was ${response.statusCode}`
    return when === undefined ? 'its condition was not met' : `when: ${when}${what}`
  }
  if (error !== undefined) return error.message
  if (isElsewhere === true) return 'runs in another process: only added, last start and end are known'
  return attempts.length > 1 && state === 'completed' ? `at attempt ${attempts.at(-1)?.attempt}` : undefined
}

/** Where the task is now, and since when. */
function endText ({ state, ended, nextAt }: Lane, scale: Scale, now: number): string {
  if (ended !== undefined) return `at ${scale.moment(ended)}`
  if (state === 'delayed' && nextAt !== undefined) return nextAt > now ? `next in ${duration(nextAt - now)}` : 'next is due'
  return ''
}

/** A task on the time line. */
export function LaneRow ({ lane, scale, now, response }: Props) {
  const reason = reasonOf(lane, response)
  // Beside the line of the response, which would cross the text.
  const responseAt = response === undefined ? 0 : scale.percent(response.at)
  const isBehind = responseAt < 50
  return (
    <li class={`lane ${lane.state}`}>
      <div class='name'>
        {lane.id === undefined ? <b>{lane.name}</b> : <a href={taskHash(lane.id)}>{lane.name}</a>}
        <small>{kindWords[lane.kind]}{lane.isElsewhere === true && ', elsewhere'}</small>
      </div>
      <div class='track'>
        {segmentsOf(lane, now).map((segment, index) => <Bar key={index} lane={lane} segment={segment} scale={scale} />)}
        {isEnded(lane.state) && lane.ended !== undefined && lane.ended <= scale.end && (
          <span class='end' style={{ left: `${scale.percent(lane.ended)}%` }}><StateIcon state={lane.state} /></span>
        )}
      </div>
      <div class='outcome'>
        <span class={`state ${lane.state}`}><StateIcon state={lane.state} />{lane.state}</span> <small>{endText(lane, scale, now)}</small>
      </div>
      {reason !== undefined && <p class={`reason ${isBehind ? '' : 'before'}`} title={reason} style={{ marginLeft: isBehind && responseAt > 0 ? `calc(${responseAt}% + 9px)` : '0' }}>{reason}</p>}
    </li>
  )
}
