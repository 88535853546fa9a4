import { nextTurn } from '../../support/turns.js'
import type { World } from './world.js'

/** More milliseconds of the clock than any plan takes. */
const MOST_MS = 6000
/** Turns of the event loop in which clients and server come to an end. */
const MOST_TURNS = 1_000_000

/** Lets clients and server come to rest: the clock stands still. */
export async function rest (world: World): Promise<void> {
  for (let turn = 0; world.visits.some(({ isAtRest }) => !isAtRest); turn++) {
    if (turn > MOST_TURNS) {
      world.report('a request does not end')
      return
    }
    await nextTurn()
  }
}

/** Lets time go on until the promise has settled. */
export async function pump (world: World, name: string, promise: Promise<unknown>, onTick: () => void = () => {}): Promise<void> {
  let isOver = false
  promise.catch((error) => { world.report(`${name}: ${String(error)}`) }).finally(() => { isOver = true })
  const end = world.clock.ticks + MOST_MS
  // eslint-disable-next-line no-unmodified-loop-condition
  while (!isOver) {
    if (world.clock.ticks > end) return world.report(`${name} does not resolve`)
    onTick()
    await world.clock.tick()
  }
}
