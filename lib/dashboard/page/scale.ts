import { duration } from './format.js'

export interface Scale {
  end: number
  ticks: number[]
  /** A time as a share of the line, in percent. */
  percent: (ms: number) => number
  /** A tick. */
  label: (ms: number) => string
  /** Any moment, in the unit of the ticks. */
  moment: (ms: number) => string
}

const MINUTE = 60_000
/** Steps that people count in, below a minute and above, in milliseconds. */
const FACTORS = [1, 2, 5, 10]
const LONG_STEPS = [10_000, 15_000, 30_000, ...[1, 2, 5, 10, 15, 30, 60, 120, 360, 720].map((minutes) => minutes * MINUTE)]
const DAY = 1440 * MINUTE

/** The shortest step of a round length that is not below `least`. */
function roundStep (least: number, isLong: boolean): number {
  if (isLong) return LONG_STEPS.find((step) => step >= least) ?? Math.ceil(least / DAY) * DAY
  const power = 10 ** Math.floor(Math.log10(least))
  return power * (FACTORS.find((factor) => factor * power >= least) ?? 10)
}

/** An axis from 0 that has room for `lastMs`, with about `wanted` steps of a round length. */
export function createScale (lastMs: number, wanted = 6): Scale {
  // A little more than the last moment, which would touch the edge.
  const least = Math.max(lastMs, 1) * 1.03
  const isLong = least > MINUTE
  const step = roundStep(least / wanted, isLong)
  const steps = Math.ceil(least / step)
  const end = steps * step
  const [unit, length] = end < 10_000 ? ['ms', 1] as const : ['s', 1000] as const
  const digits = length > 1 ? 2 : 0
  const say = (ms: number, digits: number): string => isLong ? duration(ms) : `${Number((ms / length).toFixed(digits))} ${unit}`
  return {
    end,
    ticks: Array.from({ length: steps + 1 }, (_, index) => index * step),
    percent: (ms) => Math.min(100, Math.max(0, ms / end * 100)),
    label: (ms) => say(ms, 2),
    moment: (ms) => say(ms, length === 1 && ms < 10 ? 1 : digits)
  }
}
