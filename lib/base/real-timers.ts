/**
 * The timer functions of the moment in which this file was loaded. A test may put fake ones in their place and throw those
 * away with the callbacks that they hold. What would then wait for good takes its functions from here.
 */
export const { clearInterval, queueMicrotask, setImmediate, setInterval } = globalThis

/** Resolves in the next turn of the event loop. */
export function nextTurn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}
