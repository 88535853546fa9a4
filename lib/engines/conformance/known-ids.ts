import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { StoredTask } from '../../../types/index.js'
import { type Check, type Rig, completed, latch, task } from './rig.js'

/** The payload of a task whose id is known. */
const SECOND = { n: 2 }

/** What an engine does with a task whose id it knows. */
export const knownIds: Record<string, Check> = {
  'a task whose id is known changes nothing': async (rig) => {
    const gate = latch()
    const [stored, later] = [task(), task({ delay: 60_000 })]
    const ran = await startNoting(rig, async ({ id }) => { if (id === stored.id) await gate.promise })
    await rig.engine.add([stored, later])
    await rig.until(stored.id, ({ state }) => state === 'active')
    const again = { ...stored, payload: SECOND }
    const { delay, ...soon } = { ...later, payload: SECOND }
    assert.deepEqual(await rig.engine.add([again]), [stored.id])
    assert.deepEqual(await rig.engine.add([soon]), [later.id])
    await addAmongOthers(rig, [again, soon])
    assert.equal((await rig.engine.get(later.id))?.state, 'delayed')
    gate.open()
    const ended = await rig.end(stored.id)
    assert.deepEqual(await rig.engine.add([again]), [stored.id])
    await addAmongOthers(rig, [again, soon])
    assert.deepEqual(await rig.engine.get(stored.id), ended)
    assert.ok(!ran.second)
    await rig.engine.cancel(later.id)
    await rig.end(later.id)
  },

  'of a batch with one id twice the first task is stored': async (rig) => {
    const ran = await startNoting(rig)
    const stored = task()
    assert.deepEqual(await rig.engine.add([stored, { ...stored, payload: SECOND }]), [stored.id, stored.id])
    await rig.end(stored.id)
    await addAmongOthers(rig, [])
    assert.ok(!ran.second)
  },

  'a task whose id is known takes no key': async (rig) => {
    const gate = latch()
    const holder = task({ key: 'k' })
    await rig.start(async ({ id }) => {
      if (id === holder.id) await gate.promise
      return completed
    })
    const known = task({ key: 'k' })
    await rig.engine.add([known])
    const ended = await rig.end(known.id)
    const addOthers = [
      async (other: string) => { assert.deepEqual(await rig.engine.add([task({ id: other, key: 'k' })]), [other]) },
      async (other: string) => { assert.equal((await rig.engine.add([task(), task({ id: other, key: 'k' })]))[1], other) }
    ]
    for (const addOther of addOthers) {
      assert.deepEqual(await rig.engine.add([known]), [known.id])
      await addAmongOthers(rig, [known])
      const { id } = task()
      await addOther(id)
      await rig.end(id)
    }
    await rig.engine.add([known])
    assert.deepEqual(await rig.engine.add([holder]), [holder.id])
    // Whichever of the two ids the engine gives.
    await rig.engine.add([known])
    assert.deepEqual(await rig.engine.add([task({ key: 'k' })]), [holder.id])
    gate.open()
    await rig.end(holder.id)
    assert.deepEqual(await rig.engine.get(known.id), ended)
    assert.equal(rig.runs.filter(({ id }) => id === known.id).length, 1)
  }
}

/** Notes whether a task with the second payload has run. */
async function startNoting (rig: Rig, hold?: (task: StoredTask) => Promise<void>): Promise<{ second: boolean }> {
  const ran = { second: false }
  await rig.start(async (stored) => {
    ran.second ||= isDeepStrictEqual(stored.payload, SECOND)
    await hold?.(stored)
    return completed
  })
  return ran
}

/** Adds the tasks in a batch with a new one, and waits for that. */
async function addAmongOthers (rig: Rig, tasks: StoredTask[]): Promise<void> {
  const other = task()
  const ids = await rig.engine.add([...tasks, other])
  assert.deepEqual(ids, [...tasks, other].map(({ id }) => id))
  await rig.end(other.id)
}
