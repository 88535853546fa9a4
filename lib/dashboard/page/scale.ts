/** Steps that people count in. */
const STEPS = [1, 2, 5, 10]

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

/** An axis from 0 that has room for `lastMs`, with about `wanted` steps of a round length. */
export function createScale (lastMs: number, wanted = 6): Scale {
  // A little more than the last moment, which would touch the edge.
  const least = Math.max(lastMs, 1) * 1.03
  const raw = least / wanted
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = power * (STEPS.find((factor) => factor * power >= raw) ?? 10)
  const steps = Math.ceil(least / step)
  const end = steps * step
  const [unit, length] = end < 10_000 ? ['ms', 1] as const : end < 600_000 ? ['s', 1000] as const : ['min', 60_000] as const
  return {
    end,
    ticks: Array.from({ length: steps + 1 }, (_, index) => index * step),
    percent: (ms) => Math.min(100, Math.max(0, ms / end * 100)),
    label: (ms) => `${Number((ms / length).toFixed(2))} ${unit}`,
    moment: (ms) => `${Number((ms / length).toFixed(length > 1 ? 2 : ms < 10 ? 1 : 0))} ${unit}`
  }
}
