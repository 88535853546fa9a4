import { useEffect, useState } from 'preact/hooks'

/** How far the clock of the server is ahead of that of this machine. */
let offset = 0

export function setServerTime (now: number): void {
  offset = now - Date.now()
}

/** The time on the clock of the server, in milliseconds since 1970. */
export const serverNow = (): number => Date.now() + offset

/** The time on the clock of the server, again and again: each `ms` milliseconds, or not at all without `ms`. */
export function useNow (ms: number | undefined): number {
  const [, setTick] = useState(0)
  useEffect(() => {
    if (ms === undefined) return
    const timer = setInterval(() => { setTick((tick) => tick + 1) }, ms)
    return () => { clearInterval(timer) }
  }, [ms])
  return serverNow()
}
