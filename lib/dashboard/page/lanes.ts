import type { TaskState } from '../../../types/index.js'
import type { Lane, RequestEntry } from '../view.js'
import { plural, wholeMs } from './format.js'
import { isEnded, states } from './states.js'

/** What a time line shows. */
export interface Course {
  lanes: Lane[]
  /** Absent until the response is over, and where there is none. */
  response?: RequestEntry['response'] | undefined
}

/** A stretch of a lane: the task waited, was delayed, or had an attempt. Milliseconds from the beginning of the time line. */
export interface Segment {
  kind: 'waiting' | 'delayed' | 'attempt'
  /** How the attempt ended; active while it runs. The kind of the others. */
  state: 'waiting' | 'delayed' | 'active' | 'completed' | 'failed' | 'cancelled'
  from: number
  to: number
  /** Whether it still goes on. */
  isOpen: boolean
  attempt?: number
}

const gap = (kind: 'waiting' | 'delayed', from: number, to: number, isOpen = false): Segment => ({ kind, state: kind, from, to, isOpen })

/** What has not ended ends now, for now. */
export function segmentsOf (lane: Lane, now: number): Segment[] {
  const segments: Segment[] = []
  let reached = lane.added
  for (const [index, { attempt, from, to, outcome }] of lane.attempts.entries()) {
    // Between the end of a task and its first attempt after Retry there is nothing.
    if (index === 0) segments.push(gap('waiting', reached, from))
    else if (attempt > 1) segments.push(gap('delayed', reached, from))
    reached = to ?? Math.max(now, from)
    const state = outcome ?? (to === undefined ? 'active' : lane.state === 'cancelled' ? 'cancelled' : 'completed')
    segments.push({ kind: 'attempt', state, from, to: reached, isOpen: to === undefined, attempt })
  }
  const rest = lane.attempts.length === 0 ? 'waiting' : 'delayed'
  if (lane.ended !== undefined) segments.push(gap(rest, reached, lane.ended))
  else if (lane.state === 'delayed') segments.push(gap('delayed', reached, Math.max(now, lane.nextAt ?? 0), true))
  else if (lane.state === 'waiting') segments.push(gap(rest, reached, Math.max(now, reached), true))
  return segments.filter(({ from, to, kind }) => kind === 'attempt' || to > from)
}

export function segmentName (lane: Lane, { kind, state, attempt, from, to, isOpen }: Segment): string {
  const what = kind === 'attempt' ? `attempt ${attempt}, ${state}` : kind
  return `${lane.name}, ${what}, ${isOpen && kind !== 'delayed' ? `since ${wholeMs(from)}` : `${wholeMs(from)} to ${wholeMs(to)}`}`
}

/** Whether something of it is still to come. */
export const isUnfinished = ({ response, lanes }: Course): boolean =>
  response === undefined || lanes.some(({ state }) => !isEnded(state))

/** Where the time line ends. */
export function endOf ({ response, lanes }: Course, now: number): number {
  const ends = lanes.map(({ added, attempts, ended, nextAt, state }) =>
    Math.max(added, ended ?? 0, state === 'delayed' ? nextAt ?? 0 : 0, ...attempts.map(({ from, to }) => to ?? from)))
  return Math.max(now, response?.at ?? 0, ...ends)
}

/** `3 tasks: 2 completed, 1 failed`, or shorter where one state says it all. */
export function summaryOf ({ lanes }: Course): string {
  const counts = states
    .map((state): [TaskState, number] => [state, lanes.filter((lane) => lane.state === state).length])
    .filter(([, number]) => number > 0)
  const total = plural(lanes.length, 'task')
  if (counts.length === 0) return total
  if (counts.length === 1) return `${total} ${counts[0]?.[0] ?? ''}`
  return `${total}: ${counts.map(([state, number]) => `${number} ${state}`).join(', ')}`
}
