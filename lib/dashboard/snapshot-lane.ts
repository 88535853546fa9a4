import type { TaskSnapshot } from '../../types/index.js'
import { isFinal } from '../base/snapshot.js'
import type { Attempt, Lane } from './view.js'

type Told = Pick<Lane, 'state' | 'attempts' | 'ended' | 'error'>

/**
 * What a snapshot tells of a lane: when the task first started, and when it ended. Bars that were seen stay. `since`: the place of a
 * time on the time line.
 */
export function snapshotLane ({ state, attempt, startedAt, finishedAt, error }: TaskSnapshot, since: (iso: string) => number, seen: Attempt[] = []): Told {
  const ended = finishedAt === undefined ? {} : { ended: since(finishedAt) }
  const told = { state, ...ended, ...(error !== undefined && { error }) }
  const isKnown = state === 'active' || isFinal(state)
  if (startedAt === undefined || !isKnown || seen.some((bar) => bar.attempt === attempt)) return { ...told, attempts: seen }
  const from = Math.max(since(startedAt), seen.at(-1)?.to ?? 0)
  const end = state === 'active' || finishedAt === undefined ? {} : { to: Math.max(from, since(finishedAt)), outcome: outcomeOf(state) }
  return { ...told, attempts: [...seen, { attempt, from, ...end }] }
}

/** The outcome of an attempt that left its task in this state. */
export function outcomeOf (state: Lane['state']): NonNullable<Attempt['outcome']> {
  return state === 'completed' || state === 'cancelled' ? state : 'failed'
}
