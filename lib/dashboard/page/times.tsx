import { useNow } from './clock.js'
import { ago, exactTime, until } from './format.js'

interface Moment {
  /** Milliseconds since 1970, or ISO 8601. */
  at: number | string
}

/** A moment as what it is from now, with the exact time at hand. */
export function Ago ({ at }: Moment) {
  const moment = new Date(at).getTime()
  const distance = useNow(1000) - moment
  return (
    <time dateTime={new Date(moment).toISOString()} title={exactTime(moment)}>{distance < -500 ? until(-distance) : ago(distance)}</time>
  )
}

/** A moment to the millisecond. */
export function Exact ({ at }: Moment) {
  const moment = new Date(at).getTime()
  return <time dateTime={new Date(moment).toISOString()}>{exactTime(moment)}</time>
}
