import type { Test } from 'tap'
import { type BullmqEngine, type BullmqEngineOptions, bullmqEngine } from '../../lib/bullmq.mjs'
import { Rig, completed, latch, task } from '../../lib/engines/conformance/rig.js'
import type { RunOutcome, StoredTask } from '../../types/index.js'

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

/** Starts an engine that runs one task at a time, and resolves once it runs this one, which goes on when told to. */
export async function startHeld (rig: Rig, stored = task(), outcome: RunOutcome = completed): Promise<{ goOn: { open: () => void }, stored: StoredTask }> {
  const [active, goOn] = [latch(), latch()]
  await rig.start(async () => {
    active.open()
    await goOn.promise
    return outcome
  }, { concurrency: 1 })
  await rig.engine.add([stored])
  await active.promise
  return { goOn, stored }
}
