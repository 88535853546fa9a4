import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves once the condition is true, for what happens in another process. Rejects after `deadlineMs`. */
export async function until (condition: () => boolean | Promise<boolean>, deadlineMs = 20_000): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs
  while (!await condition()) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${deadlineMs} ms: ${condition.toString()}`)
    await sleep(20)
  }
}
