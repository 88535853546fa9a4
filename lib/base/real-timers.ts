/**
 * The timer functions of Node.js at the time this file is loaded. A test may install fake functions, and later discard them with
 * their callbacks. Code that would then wait for ever uses these functions.
 */
export const { clearInterval, queueMicrotask, setImmediate, setInterval } = globalThis

/** Resolves in the next turn of the event loop. */
export function nextTurn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}
