import { mock } from 'node:test'
import type { Test } from 'tap'

/** Fake `setTimeout` until the test is over; setImmediate stays real. */
export function useFakeTimers (t: Test): (ms: number) => void {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  return (ms) => { mock.timers.tick(ms) }
}

/** As above, and `performance.now` shows the time that has been ticked. */
export function useFakeClock (t: Test): (ms: number) => void {
  const tick = useFakeTimers(t)
  // Whole, so that the time left until a moment is exact.
  let now = Math.ceil(performance.now())
  const clock = mock.method(performance, 'now', () => now)
  t.teardown(() => { clock.mock.restore() })
  return (ms) => {
    now += ms
    tick(ms)
  }
}

/** Fake `setTimeout` and `Date` until the test is over, from a time in ISO 8601 on. */
export function useFakeDate (t: Test, now: string): { tick: (ms: number) => void, set: (now: string) => void } {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.parse(now) })
  t.teardown(() => { mock.timers.reset() })
  return {
    tick: (ms) => { mock.timers.tick(ms) },
    // As somebody sets the clock: no timer hears of it.
    set: (now) => { mock.timers.setTime(Date.parse(now)) }
  }
}
