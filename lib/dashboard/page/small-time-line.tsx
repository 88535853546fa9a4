import type { RequestEntry } from '../view.js'
import { endOf, segmentsOf, summaryOf } from './lanes.js'

const HEIGHT = 24
/** More than these would be too thin to see. */
const MAX_LANES = 5
const SHORTEST = 0.8

/** The time line of a request as a picture in its row. */
export function SmallTimeLine ({ request, now }: { request: RequestEntry, now: number }) {
  const end = Math.max(endOf(request, now), 0.1)
  const lanes = request.lanes.slice(0, MAX_LANES)
  const height = Math.min(6, (HEIGHT - 2) / Math.max(1, lanes.length) - 1)
  const top = (HEIGHT - lanes.length * (height + 1)) / 2
  const percent = (ms: number): string => `${(ms / end * 100).toFixed(2)}%`
  const response = request.response?.at ?? end
  return (
    <svg class='small-time-line' width='100%' height={HEIGHT} role='img' aria-label={summaryOf(request)}>
      <rect class='before' x='0' y='0' width={percent(response)} height={HEIGHT} />
      {lanes.map((lane, index) => {
        const y = top + index * (height + 1)
        return (
          <g key={lane.number}>
            {segmentsOf(lane, now).map((segment, at) => {
              const width = segment.kind === 'attempt' ? Math.max(SHORTEST, (segment.to - segment.from) / end * 100) : (segment.to - segment.from) / end * 100
              const x = Math.min(segment.from / end * 100, 100 - width)
              return segment.kind === 'attempt'
                ? <rect key={at} class={segment.state} x={`${x.toFixed(2)}%`} y={y} width={`${width.toFixed(2)}%`} height={height} rx='1' />
                : <line key={at} class={segment.state} x1={`${x.toFixed(2)}%`} x2={`${(x + width).toFixed(2)}%`} y1={y + height / 2} y2={y + height / 2} />
            })}
            {lane.state === 'skipped' && <circle class='skipped' cx={percent(Math.min(lane.ended ?? end, end * 0.985))} cy={y + height / 2} r='1.8' />}
          </g>
        )
      })}
      {request.response !== undefined && <line class='response' x1={percent(response)} x2={percent(response)} y1='0' y2={HEIGHT} />}
    </svg>
  )
}
