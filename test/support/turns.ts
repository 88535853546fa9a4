import { setImmediate as nextTurn } from 'node:timers/promises'

export { nextTurn }

/** Lets the event loop turn until the condition holds. */
export async function turnUntil (condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn()
}
