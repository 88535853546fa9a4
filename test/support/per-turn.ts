/** Holds the event loop for at least that long. */
export function block (ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** Counts how many tasks run between two turns of the event loop. */
export function countPerTurn (): { ran (): void, most (): number, turns (): number, stop (): void } {
  let immediate = setImmediate(onTurn)
  let current = 0
  let most = 0
  let turns = 0
  function onTurn (): void {
    current = 0
    turns++
    immediate = setImmediate(onTurn)
  }
  return {
    ran () { most = Math.max(most, ++current) },
    most: () => most,
    turns: () => turns,
    stop () { clearImmediate(immediate) }
  }
}
