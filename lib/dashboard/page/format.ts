// What the page says of times and numbers.

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Up to three digits that count: `0.4`, `3.2`, `412`. */
function short (value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return String(Number(value.toFixed(digits)))
}

function pair (value: number, big: number, bigUnit: string, small: number, smallUnit: string): string {
  const rounded = Math.round(value / small) * small
  const rest = Math.floor(rounded % big / small)
  return `${Math.floor(rounded / big)} ${bigUnit}${rest > 0 ? ` ${rest} ${smallUnit}` : ''}`
}

/** A length of time, for eyes: `0.4 ms`, `412 ms`, `1.25 s`, `4 min 12 s`, `3 h 4 min`, `2 d 3 h`. */
export function duration (ms: number): string {
  if (ms < 9.95) return `${Number(Math.max(0, ms).toFixed(1))} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${short(ms / SECOND)} s`
  if (ms < HOUR - SECOND / 2) return pair(ms, MINUTE, 'min', SECOND, 's')
  if (ms < DAY - MINUTE / 2) return pair(ms, HOUR, 'h', MINUTE, 'min')
  return pair(ms, DAY, 'd', HOUR, 'h')
}

/** A point of the time line in the names of its bars: whole milliseconds, whatever the length. */
export const wholeMs = (ms: number): string => `${Math.round(ms)} ms`

/** How long ago something was, in its biggest unit. */
export function ago (ms: number): string {
  if (ms < SECOND) return 'now'
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ago`
  return `${Math.floor(ms / DAY)} d ago`
}

/** When something will be. */
export const until = (ms: number): string => ms < SECOND ? 'now' : `in ${duration(Math.round(ms / SECOND) * SECOND)}`

export const count = (value: number): string => value.toLocaleString('en')

/** `1 task`, `3 tasks`. */
export const plural = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? '' : 's'}`

/** Tasks a second: a decimal only where it says something. */
export const rate = (value: number): string => value >= 10 || Number.isInteger(value) ? count(Math.round(value)) : value.toFixed(1)

export const clockTime = (at: number): string => new Date(at).toLocaleTimeString('en-GB')

/** Date and time with milliseconds, in the time zone of the viewer. */
export function exactTime (at: number): string {
  const date = new Date(at)
  return `${date.toLocaleDateString('en-CA')} ${date.toLocaleTimeString('en-GB')}.${String(date.getMilliseconds()).padStart(3, '0')}`
}

/** JSON as it is read, over several lines where it has parts. */
export const json = (value: unknown): string => JSON.stringify(value, null, 2) ?? 'undefined'
