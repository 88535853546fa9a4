import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Engine } from '../../../types/index.js'
import { type Check, completed, error, latch, task } from './rig.js'

/** Cases for engines whose store several processes share. */
export const sharing: Record<string, Check> = {
  'a task stored by one process runs in another, which both can ask': async (rig, other) => {
    await rig.start(undefined, { worker: false })
    const worker = await other()
    await worker.start(() => ({ state: 'completed', result: 42 }))
    const stored = task()
    await rig.engine.add([stored])
    assert.equal((await rig.end(stored.id)).result, 42)
    assert.equal((await worker.engine.get(stored.id))?.state, 'completed')
    assert.deepEqual(rig.runs, [])
  },

  'an interrupted task runs again elsewhere with the same attempt number': async (rig, other) => {
    const active = latch()
    const interrupt = latch()
    await rig.start(async () => {
      active.open()
      await interrupt.promise
      return { state: 'interrupted' }
    })
    const stored = task()
    await rig.engine.add([stored])
    await active.promise
    const paused = rig.engine.pause()
    interrupt.open()
    await paused
    const worker = await other()
    await worker.start()
    assert.equal((await worker.end(stored.id)).state, 'completed')
    assert.deepEqual(worker.runs, [{ id: stored.id, attempt: 1 }])
  },

  'a task that runs in one process is cancelled from another': async (rig, other) => {
    await rig.start(async (_, { signal }) => {
      if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
      return { state: 'cancelled', error }
    })
    const web = await other()
    await web.start(undefined, { worker: false })
    const stored = task()
    await web.engine.add([stored])
    await web.until(stored.id, ({ state }) => state === 'active')
    assert.equal(await web.engine.cancel(stored.id), true)
    assert.equal((await web.end(stored.id)).state, 'cancelled')
  },

  'of two processes that have a task run again at once one has an effect': async (rig, other) => {
    if (rig.engine.retry === undefined) return
    await rig.start(({ id }) => rig.runs.filter((run) => run.id === id).length > 1 ? completed : { state: 'failed', error })
    const web = await other()
    await web.start(undefined, { worker: false })
    const batch = Array.from({ length: 20 }, (_, index) => task(index % 2 === 0 ? {} : { key: randomUUID() }))
    await rig.engine.add(batch)
    for (const { id } of batch) {
      await rig.end(id)
      const effects: boolean[] = await Promise.all([rig.engine.retry(id), web.engine.retry!(id)])
      assert.deepEqual(effects.sort(), [false, true])
      assert.equal((await web.end(id)).state, 'completed')
    }
    assert.equal(rig.runs.length, 2 * batch.length)
  },

  'of two workers only one runs a task': async (rig, other) => {
    await rig.start(undefined, { concurrency: 3 })
    const worker = await other()
    await worker.start(undefined, { concurrency: 3 })
    const batch = Array.from({ length: 20 }, () => task())
    await rig.engine.add(batch)
    for (const { id } of batch) await rig.end(id)
    const runs = [...rig.runs, ...worker.runs].map(({ id }) => id)
    assert.deepEqual(runs.sort(), batch.map(({ id }) => id).sort())
  },

  'a key is taken for all processes': async (rig, other) => {
    const gate = latch()
    await rig.start(async () => {
      await gate.promise
      return completed
    })
    const web = await other()
    await web.start(undefined, { worker: false })
    const [first, again] = [task({ key: 'shared' }), task({ key: 'shared' })]
    assert.deepEqual(await rig.engine.add([first]), [first.id])
    assert.deepEqual(await web.engine.add([again]), [first.id])
    gate.open()
    await rig.end(first.id)
    assert.equal(await web.engine.get(again.id), undefined)
  },

  'a worker that has paused starts no task': async (rig, other) => {
    await rig.start()
    const web = await other()
    await web.start(undefined, { worker: false })
    await rig.engine.pause()
    const stored = task()
    await web.engine.add([stored])
    const worker = await other()
    await worker.start()
    assert.equal((await web.end(stored.id)).state, 'completed')
    assert.deepEqual(rig.runs, [])
  }
}

/** Cases for a store that outlives its processes. `crash` ends one process. */
export function recovery (crash: (engine: Engine) => void | Promise<void>): Record<string, Check> {
  return {
    'a task whose process has died runs again elsewhere': async (rig, other) => {
      const active = latch()
      const end = latch()
      await rig.start(async () => {
        active.open()
        await end.promise
        return completed
      })
      const stored = task()
      await rig.engine.add([stored])
      await active.promise
      await crash(rig.engine)
      const worker = await other()
      await worker.start()
      try {
        assert.equal((await worker.end(stored.id)).state, 'completed')
        assert.deepEqual(worker.runs.map(({ id }) => id), [stored.id])
      } finally {
        end.open()
      }
    }
  }
}
