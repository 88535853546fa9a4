import { nextTurn } from '../../support/turns.js'
import type { Added } from './added.js'

function rejectionOf (signal: AbortSignal): Promise<never> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => { reject(signal.reason) }
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
}

async function spend (work: NonNullable<Added['plan']['work']>, released: Promise<void>): Promise<void> {
  if ('held' in work) await released
  else if ('ms' in work) await new Promise<void>((resolve) => { setTimeout(resolve, work.ms) })
  else for (let turn = 0; turn < work.turns; turn++) await nextTurn()
}

/** Does what the plan says of this attempt. */
export function work ({ plan, task }: Added, attempt: number, released: Promise<void>): unknown {
  const end = (): number => {
    if (attempt <= (plan.fails ?? 0)) throw new Error(`attempt ${attempt}`)
    return attempt
  }
  if (plan.work === undefined) return end()
  const spent = spend(plan.work, released)
  const isStopped = plan.obeys === true && task !== undefined
  return (isStopped ? Promise.race([spent, rejectionOf(task.signal)]) : spent).then(end)
}

type Verdict = 'yes' | 'no' | 'maybe'

/** The turns that may pass between the end of a time and what it sets off. */
const TURNS = 8

/** Whether an attempt runs out of time. One that waits to be released may. */
export function timesOut ({ timeout, plan: { work } }: Added): Verdict {
  if (timeout === undefined || work === undefined) return 'no'
  if ('held' in work) return 'maybe'
  const [least, most] = 'ms' in work ? [work.ms, work.ms] : [0, work.turns]
  if (timeout > most + TURNS) return 'no'
  return least > timeout + TURNS ? 'yes' : 'maybe'
}
