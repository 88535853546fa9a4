import type { Test } from 'tap'
import type { Engine } from '../../index.js'
import { bullmqEngine, type BullmqEngine, type BullmqEngineOptions } from '../../lib/bullmq.mjs'
import { engineConformance } from '../../lib/testing.js'
import { Wire } from './wire.js'

/** What connects to a store by this port. */
type OptionsOf = (port: number) => Pick<BullmqEngineOptions, 'connection' | 'postgres'>

/** The suite on BullMQ, each case on a queue of its own, each engine by a wire of its own, which can be cut. */
export function bullmqConformance (t: Test, port: number, optionsOf: OptionsOf): void {
  let cases = 0
  const wires = new Map<Engine, Wire>()
  t.teardown(() => { for (const wire of wires.values()) wire.close() })

  async function create (): Promise<BullmqEngine> {
    const wire = await Wire.to(port)
    const engine = bullmqEngine({ ...optionsOf(wire.port), queue: `conformance-${cases}`, lockDuration: 1000, stalledInterval: 500 })
    wires.set(engine, wire)
    // An engine refuses tasks that would wait too long for its first connection, as on a busy machine.
    await engine.queue.waitUntilReady()
    return engine
  }
  const crash = (engine: Engine): void => { wires.get(engine)!.close() }
  for (const { name, run } of engineConformance(create, { shared: true, crash })) {
    t.test(name, async () => {
      cases++
      await run()
    })
  }
}
