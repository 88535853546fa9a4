import { useEffect, useReducer } from 'preact/hooks'

/** How far the clock of the server is ahead of that of this machine. */
let offset = 0

export function setServerTime (now: number): void {
  offset = now - Date.now()
}

/** The time on the clock of the server, in milliseconds since 1970. */
export const serverNow = (): number => Date.now() + offset

/** One timer for all that shows the same time: what is read together changes together. */
const clocks = new Map<number, { timer: ReturnType<typeof setInterval>, ticks: Set<(arg: undefined) => void> }>()

function startClock (ms: number): Set<(arg: undefined) => void> {
  const ticks = new Set<(arg: undefined) => void>()
  const timer = setInterval(() => { for (const tick of ticks) tick(undefined) }, ms)
  clocks.set(ms, { timer, ticks })
  return ticks
}

function stopClock (ms: number): void {
  clearInterval(clocks.get(ms)?.timer)
  clocks.delete(ms)
}

/** The time on the clock of the server, again and again: each `ms` milliseconds, or not at all without `ms`. */
export function useNow (ms: number | undefined): number {
  const [, tick] = useReducer((count: number, _: unknown) => count + 1, 0)
  useEffect(() => {
    if (ms === undefined) return
    const ticks = clocks.get(ms)?.ticks ?? startClock(ms)
    ticks.add(tick)
    return () => {
      ticks.delete(tick)
      if (ticks.size === 0) stopClock(ms)
    }
  }, [ms])
  return serverNow()
}
