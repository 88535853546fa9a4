import type { Test } from 'tap'
import { type BullmqEngine, type BullmqEngineOptions, bullmqEngine } from '../../lib/bullmq.mjs'
import { Rig } from '../../lib/engines/conformance/rig.js'

/** Where an engine keeps its tasks. */
export type Store = Pick<BullmqEngineOptions, 'connection' | 'postgres'>

let queues = 0

/** An engine that is connected, on a queue of its own unless one is named. */
export async function openRig (t: Test, store: Store & Partial<BullmqEngineOptions>, queue = `rig-${queues++}`): Promise<{ engine: BullmqEngine, rig: Rig }> {
  const engine = bullmqEngine({ ...store, queue })
  const rig = new Rig(engine)
  t.teardown(() => rig.close())
  // A busy machine may need longer for the first connection than an engine lets a request wait.
  await engine.queue.waitUntilReady()
  return { engine, rig }
}
