const HOP_MS = 5

/**
 * A clock that counts only time in which the event loop turned: at most 5 ms per hop, so a machine that stalls does not
 * run it down. Gives the milliseconds since it was started; stop it with `stop`.
 */
export interface ResponsiveClock {
  readonly elapsed: number
  stop (): void
}

export function startResponsiveClock (): ResponsiveClock {
  let hops = 0
  const interval = setInterval(() => { hops++ }, HOP_MS).unref()
  return {
    get elapsed () { return hops * HOP_MS },
    stop () { clearInterval(interval) }
  }
}
