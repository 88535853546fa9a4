import type { Test } from 'tap'
import { bullmqEngine, type BullmqEngine, type BullmqEngineOptions } from '../../lib/bullmq.mjs'
import { engineConformance } from '../../lib/testing.js'

/** The suite on BullMQ, each case on a queue of its own. */
export function bullmqConformance (t: Test, options: Pick<BullmqEngineOptions, 'connection' | 'postgres'>): void {
  let cases = 0
  async function create (): Promise<BullmqEngine> {
    const engine = bullmqEngine({ ...options, queue: `conformance-${cases}` })
    // An engine refuses tasks that would wait too long for its first connection, as on a busy machine.
    await engine.queue.waitUntilReady()
    return engine
  }
  for (const { name, run } of engineConformance(create, { shared: true })) {
    t.test(name, async () => {
      cases++
      await run()
    })
  }
}
