import { nextTurn } from './turns.js'

/** A task of one turn of the event loop, and how many of it there have been at work at once. */
export function createMost (): { work: () => Promise<void>, most: () => number } {
  let active = 0
  let most = 0
  return {
    async work () {
      most = Math.max(most, ++active)
      await nextTurn()
      active--
    },
    most: () => most
  }
}
