import { loadCroner } from '../base/modules.cjs'
import { describe, errors, messageOf } from '../errors.js'
import type { ScheduledTask } from '../named/registry.js'

/** Gives the time of the first tick after a time, in milliseconds since 1970. Infinity when there is none. */
export type NextTick = (afterMs: number) => number

/**
 * Loads croner and reads the schedules.
 * @throws FST_BGT_INVALID_OPTIONS when croner is not installed, or refuses a pattern or a time zone
 */
export async function readSchedules (scheduled: readonly ScheduledTask[]): Promise<NextTick[]> {
  const [first] = scheduled
  if (first === undefined) return []
  const { Cron } = await loadCroner((cause) => {
    throw new errors.FST_BGT_INVALID_OPTIONS(
      `option "schedule" of task "${first.definition.name}" needs the package croner: npm install croner`, { cause })
  })
  return scheduled.map(({ definition: { name }, schedule: { cron, timezone } }) => {
    judge(name, 'timezone', 'an IANA time zone', timezone, () => new Intl.DateTimeFormat('en', { timeZone: timezone }))
    return judge(name, 'cron', 'a cron pattern of five fields, or six with seconds', cron, () => {
      // Croner takes the time of a single run, and years, too.
      if (!/^\s*(\S+\s+){4,5}\S+\s*$/.test(cron)) throw new Error('it has another number of fields')
      const pattern = new Cron(cron, { timezone })
      const next: NextTick = (afterMs) => pattern.nextRun(new Date(afterMs))?.getTime() ?? Infinity
      if (next(Date.now()) === Infinity) throw new Error('it never comes')
      return next
    })
  })
}

function judge<Value> (task: string, option: string, must: string, received: string, read: () => Value): Value {
  try {
    return read()
  } catch (cause) {
    throw new errors.FST_BGT_INVALID_OPTIONS(
      `option "schedule.${option}" of task "${task}" must be ${must}, received ${describe(received)}: ${messageOf(cause)}`, { cause })
  }
}
