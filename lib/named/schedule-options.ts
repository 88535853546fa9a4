import type { TaskSchedule } from '../../types/index.js'
import { type Rule, type Rules, isObject, text } from '../options/rules.js'

const FIELDS: Rules<TaskSchedule> = {
  cron: { ...text, required: true },
  timezone: text,
  payload: { must: 'anything', check: () => true }
}

/** The option `schedule` of a task. Croner judges the pattern and the time zone when the app is ready. */
export const SCHEDULE_RULE: Rule = { must: 'an object', check: isObject, fields: FIELDS }

/** The option with every default filled in. */
export type Schedule = Readonly<Required<TaskSchedule>>

export function resolveSchedule ({ cron, timezone = 'UTC', payload = {} }: TaskSchedule): Schedule {
  return Object.freeze({ cron, timezone, payload })
}
