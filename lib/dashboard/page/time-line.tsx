import { useState } from 'preact/hooks'
import { useNow } from './clock.js'
import { duration } from './format.js'
import { LaneRow } from './lane-row.js'
import { type Course, endOf, isUnfinished } from './lanes.js'
import { createScale } from './scale.js'
import { isEnded } from './states.js'

interface Props extends Course {
  /** Whether a response is to be expected: nothing else is known of the time before it. */
  hasRequest: boolean
  /** When the time line begins, on the clock of the server. */
  startedAt: number
}

/** As much as is seen of the time behind the response when all is zoomed in. */
const BEGINNING = 3
/** What is shorter than this share of the whole can hardly be seen. */
const TINY = 1 / 8

/** A moving picture is for those who want one. */
const stepMs = matchMedia('(prefers-reduced-motion: reduce)').matches ? 1000 : 100

function ResponseMark ({ response, at }: { response: NonNullable<Course['response']>, at: number }) {
  const isSent = response.outcome === 'sent'
  return (
    <div class={`response ${response.outcome} ${at > 62 ? 'flipped' : ''}`} style={{ '--at': `${at}%` }}>
      <span>{isSent ? 'response sent' : 'response aborted'}, {response.statusCode} <small>after {duration(response.at)}</small></span>
    </div>
  )
}

/** One axis from the beginning, and a lane for each task. */
export function TimeLine ({ lanes, response, hasRequest, startedAt }: Props) {
  const isRunning = hasRequest ? isUnfinished({ lanes, response }) : lanes.some(({ state }) => !isEnded(state))
  const now = useNow(isRunning ? stepMs : undefined) - startedAt
  const [zoom, setZoom] = useState(0)
  const whole = endOf({ lanes, response }, isRunning ? now : 0)
  const beginning = BEGINNING * (response?.at ?? lanes[0]?.attempts[0]?.to ?? whole)
  const scale = createScale(whole * (beginning / whole) ** (zoom / 100))
  const before = hasRequest ? scale.percent(response?.at ?? now) : 0
  return (
    <>
      <div class='hint'>
        <p>Milliseconds from {hasRequest ? 'the arrival of the request' : 'when the task was added'}.{isRunning && ' It is not over yet.'}</p>
        {beginning < whole * TINY && (
          <label>Zoom <input type='range' min={0} max={100} value={zoom} onInput={({ currentTarget }) => { setZoom(currentTarget.valueAsNumber) }} /></label>
        )}
      </div>
      <div class='time-line'>
        <div class='axis'>
          <div class='track' aria-hidden='true'>
            {scale.ticks.map((tick) => <span class='tick' key={tick} style={{ left: `${scale.percent(tick)}%` }}>{scale.label(tick)}</span>)}
          </div>
        </div>
        <div class='grid'>
          <div class='track'>
            {scale.ticks.map((tick) => <i class='tick' key={tick} style={{ left: `${scale.percent(tick)}%` }} />)}
            {hasRequest && <i class='before' style={{ width: `${before}%` }} />}
            {isRunning && now <= scale.end && <i class='now' style={{ left: `${scale.percent(now)}%` }} />}
            {response !== undefined && <ResponseMark response={response} at={before} />}
          </div>
        </div>
        <ol class={response === undefined ? '' : 'answered'}>
          {lanes.map((lane) => <LaneRow key={lane.number} lane={lane} scale={scale} now={now} response={response} />)}
        </ol>
      </div>
    </>
  )
}
