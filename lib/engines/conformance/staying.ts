import assert from 'node:assert/strict'
import { type Check, completed, latch, task } from './rig.js'

/** Cases for engines whose tasks never leave the process, those with `findLocal`. */
export const staying: Record<string, Check> = {
  'findLocal gives the unfinished task that has the key': async (rig) => {
    const stored = task({ key: 'k' })
    await rig.engine.add([stored])
    assert.equal(rig.engine.findLocal?.(stored.name, 'k'), stored.id)
    assert.equal(rig.engine.findLocal?.('conformance-other', 'k'), undefined)
    await rig.start()
    await rig.end(stored.id)
    assert.equal(rig.engine.findLocal?.(stored.name, 'k'), undefined)
  },

  'the host is told that a delay is over although nothing can start': async (rig) => {
    const gate = latch()
    const due: string[] = []
    await rig.start(async () => {
      await gate.promise
      return completed
    }, { concurrency: 1, due: (id) => { due.push(id) } })
    const [blocker, later] = [task(), task({ delay: 20 })]
    await rig.engine.add([blocker, later])
    await rig.until(later.id, ({ state }) => state === 'waiting')
    // The engine may tell the watchers before it calls `due`.
    await new Promise(setImmediate)
    assert.deepEqual(due, [later.id])
    gate.open()
    await rig.end(later.id)
  },

  'no more finished tasks are kept than the history says': async (rig) => {
    await rig.start(undefined, { history: 2 })
    const batch = [task(), task(), task()]
    for (const stored of batch) {
      await rig.engine.add([stored])
      await rig.end(stored.id)
    }
    const known = await Promise.all(batch.map(({ id }) => rig.engine.get(id)))
    assert.deepEqual(known.map((snapshot) => snapshot?.id), [undefined, batch[1]!.id, batch[2]!.id])
  }
}
