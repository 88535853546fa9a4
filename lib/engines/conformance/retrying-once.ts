import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Check, completed, error, latch, task } from './rig.js'

/** Of two calls at once, where one of them is the optional method `retry`. A case passes where the method does not exist. */
export const retryingOnce: Record<string, Check> = {
  'of two retries at once one has an effect': async (rig) => {
    const { engine } = rig
    if (engine.retry === undefined) return
    await rig.start(({ id }) => rig.runs.filter((run) => run.id === id).length > 1 ? completed : { state: 'failed', error })
    const batch = Array.from({ length: 20 }, (_, index) => task(index % 2 === 0 ? {} : { key: randomUUID() }))
    await engine.add(batch)
    for (const { id } of batch) {
      await rig.end(id)
      const effects: boolean[] = await Promise.all([engine.retry(id), engine.retry(id)])
      assert.deepEqual(effects.sort(), [false, true])
      await rig.end(id)
    }
    assert.equal(rig.runs.length, 2 * batch.length)
  },

  'a task that runs again takes its key, unless an unfinished task has it': async (rig) => {
    const { engine } = rig
    if (engine.retry === undefined) return
    const gate = latch()
    const key = randomUUID()
    const first = task({ key })
    const second = task({ key, delay: 60_000 })
    await rig.start(async ({ id }) => {
      if (rig.runs.filter((run) => run.id === id).length === 1) return { state: 'failed', error }
      await gate.promise
      return completed
    })
    await engine.add([first])
    await rig.end(first.id)
    assert.deepEqual(await engine.add([second]), [second.id])
    assert.equal(await engine.retry(first.id), false)
    assert.equal((await engine.get(first.id))?.state, 'failed')
    await engine.cancel(second.id)
    assert.equal(await engine.retry(first.id), true)
    assert.deepEqual(await engine.add([task({ key })]), [first.id])
    gate.open()
    assert.equal((await rig.end(first.id)).state, 'completed')
    const later = task({ key })
    assert.deepEqual(await engine.add([later]), [later.id])
    await rig.end(later.id)
  },

  'of a retry and an add with its key at once one wins': async (rig) => {
    const { engine } = rig
    if (engine.retry === undefined) return
    await rig.start(() => ({ state: 'failed', error }))
    for (let round = 0; round < 10; round++) {
      const key = randomUUID()
      const first = task({ key })
      await engine.add([first])
      await rig.end(first.id)
      const second = task({ key, delay: 60_000 })
      const add = async (): Promise<string> => (await engine.add([second]))[0]!
      const retry = async (): Promise<boolean> => await engine.retry!(first.id)
      const [id, isRetried] = round % 2 === 0
        ? await Promise.all([add(), retry()])
        : (await Promise.all([retry(), add()])).reverse() as [string, boolean]
      // The task that is run again may have ended, and freed its key, before the other is added.
      if (id === first.id) assert.equal(isRetried, true)
      else assert.equal(id, second.id)
      await rig.end(first.id)
      assert.equal(rig.runs.filter((run) => run.id === first.id).length, isRetried ? 2 : 1)
      await engine.cancel(second.id)
    }
  },

  'a task that is cancelled about when it runs again does not complete if the cancellation had an effect': async (rig) => {
    const { engine } = rig
    if (engine.retry === undefined) return
    await rig.start(async ({ id }, { signal }) => {
      if (rig.runs.filter((run) => run.id === id).length === 1) return { state: 'failed', error }
      await new Promise(setImmediate)
      return signal.aborted ? { state: 'cancelled', error } : completed
    })
    for (let round = 0; round < 10; round++) {
      const { id } = task()
      await engine.add([task({ id })])
      await rig.end(id)
      const retry = async (): Promise<boolean> => await engine.retry!(id)
      const cancel = async (): Promise<boolean> => await engine.cancel(id)
      const [isRetried, isCancelled] = round % 2 === 0
        ? await Promise.all([retry(), cancel()])
        : (await Promise.all([cancel(), retry()])).reverse() as [boolean, boolean]
      assert.equal(isRetried, true)
      assert.equal((await rig.end(id)).state, isCancelled ? 'cancelled' : 'completed')
    }
  }
}
