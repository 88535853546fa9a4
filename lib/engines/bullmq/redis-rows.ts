import type * as Bullmq from 'bullmq'
import { parseOrText } from './json-or-text.js'
import type { JobRecord } from './records.js'

/** The fields of the hash of a job that a record is made of, after `progress` and `returnvalue`. */
export const FIELDS = "'name', 'timestamp', 'atm', 'ats', 'processedOn', 'finishedOn', 'failedReason', 'error', 'startedAt', 'cancelled'"

/** The values of `progress`, `returnvalue` and `FIELDS`. An absent field is null. */
export type Fields = [
  progress: string | null, returnvalue: string | null, name: string, timestamp: string, atm: string | null, ats: string | null,
  processedOn: string | null, finishedOn: string | null, failedReason: string | null, error: string | null, startedAt: string | null,
  cancelled: string | null
]

export function toRecord (id: string, state: Bullmq.JobState, fields: Fields): JobRecord {
  const [progress, returnvalue, name, timestamp, atm, ats, processedOn, finishedOn, failedReason, error, startedAt, cancelled] = fields
  return {
    id,
    name,
    state,
    attemptsMade: Number(atm),
    attemptsStarted: Number(ats),
    timestamp: Number(timestamp),
    processedOn: numberOf(processedOn),
    finishedOn: numberOf(finishedOn),
    progress: parseOrText(progress),
    returnvalue: parseOrText(returnvalue),
    failedReason: failedReason ?? undefined,
    error: parseOrText(error),
    startedAt: numberOf(startedAt),
    cancelled: parseOrText(cancelled)
  }
}

function numberOf (text: string | null): number | undefined {
  return text === null ? undefined : Number(text)
}
