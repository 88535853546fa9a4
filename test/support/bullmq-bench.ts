import type { Test } from 'tap'
import { type BullmqEngine, type BullmqEngineOptions, bullmqEngine } from '../../lib/bullmq.mjs'
import { Bench } from '../../lib/engines/conformance/bench.js'

/** Where an engine keeps its tasks. */
export type Store = Pick<BullmqEngineOptions, 'connection' | 'postgres'>

let queues = 0

/** An engine that is connected, on a queue of its own unless one is named. */
export async function openBench (t: Test, store: Store, queue = `bench-${queues++}`): Promise<{ engine: BullmqEngine, bench: Bench }> {
  const engine = bullmqEngine({ ...store, queue })
  const bench = new Bench(engine)
  t.teardown(() => bench.close())
  // A busy machine may need longer for the first connection than an engine lets a request wait.
  await engine.queue.waitUntilReady()
  return { engine, bench }
}
