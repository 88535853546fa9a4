import assert from 'node:assert/strict'
import { type Check, completed, latch, task } from './rig.js'

/** Which task has a key, and for how long. */
export const keys: Record<string, Check> = {
  'while an unfinished task has the key, adding another of its name gives that one': async (rig) => {
    const gate = latch()
    await rig.start(async () => {
      await gate.promise
      return completed
    })
    const first = task({ key: 'k' })
    const again = task({ key: 'k' })
    const otherName = task({ key: 'k', name: 'conformance-other' })
    const otherKey = task({ key: 'k2' })
    assert.deepEqual(await rig.engine.add([first]), [first.id])
    assert.deepEqual(await rig.engine.add([again, otherName, otherKey]), [first.id, otherName.id, otherKey.id])
    gate.open()
    for (const { id } of [first, otherName, otherKey]) await rig.end(id)
    assert.equal(await rig.engine.get(again.id), undefined)
    const later = task({ key: 'k' })
    assert.deepEqual(await rig.engine.add([later]), [later.id])
    await rig.end(later.id)
  },

  'of a batch with one key twice the first task has it': async (rig) => {
    await rig.start()
    const [first, again] = [task({ key: 'k' }), task({ key: 'k' })]
    assert.deepEqual(await rig.engine.add([first, again]), [first.id, first.id])
    assert.equal((await rig.end(first.id)).state, 'completed')
    assert.equal(await rig.engine.get(again.id), undefined)
    assert.deepEqual(rig.runs, [{ id: first.id, attempt: 1 }])
  },

  'a task cancelled before it runs frees its key at once': async (rig) => {
    const gate = latch()
    const blocker = task()
    const again = [task({ key: 'waiting' }), task({ key: 'delayed' })]
    const merged: string[] = []
    await rig.start(async ({ id, key }) => {
      if (id === blocker.id) await gate.promise
      else merged.push(...await rig.engine.add([task({ key: key! })]))
      return completed
    }, { concurrency: 1 })
    await rig.engine.add([blocker])
    await rig.until(blocker.id, ({ state }) => state === 'active')
    const cancelled = [task({ key: 'waiting' }), task({ key: 'delayed', delay: 60_000 })]
    await rig.engine.add(cancelled)
    for (const { id } of cancelled) assert.equal(await rig.engine.cancel(id), true)
    const ids = again.map(({ id }) => id)
    assert.deepEqual(await rig.engine.add(again), ids)
    gate.open()
    for (const { id } of again) assert.equal((await rig.end(id)).state, 'completed')
    assert.deepEqual(rig.runs.map(({ id }) => id), [blocker.id, ...ids])
    // The removal of the cancelled tasks has not freed the keys a second time.
    assert.deepEqual(merged, ids)
  }
}
