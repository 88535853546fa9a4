import { nextTurn } from './turns.js'

/** More than a test has at work at once: on a busy machine one turn of the event loop may start only one of them. */
const TURNS = 5

/** A task of some turns of the event loop, and how many of it there have been at work at once. */
export function createMost (): { work: () => Promise<void>, most: () => number } {
  let active = 0
  let most = 0
  return {
    async work () {
      most = Math.max(most, ++active)
      for (let turn = 0; turn < TURNS; turn++) await nextTurn()
      active--
    },
    most: () => most
  }
}
