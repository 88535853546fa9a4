import assert from 'node:assert/strict'
import { type Check, error, latch, task } from './bench.js'

/** What only engines show whose store several processes share. */
export const sharing: Record<string, Check> = {
  'a task stored by one process runs in another, which both can ask': async (bench, other) => {
    await bench.start(undefined, { worker: false })
    const worker = await other()
    await worker.start(() => ({ state: 'completed', result: 42 }))
    const stored = task()
    await bench.engine.add([stored])
    assert.equal((await bench.end(stored.id)).result, 42)
    assert.equal((await worker.engine.get(stored.id))?.state, 'completed')
    assert.deepEqual(bench.runs, [])
  },

  'an interrupted task runs again elsewhere with the same attempt number': async (bench, other) => {
    const active = latch()
    const interrupt = latch()
    await bench.start(async () => {
      active.open()
      await interrupt.promise
      return { state: 'interrupted' }
    })
    const stored = task()
    await bench.engine.add([stored])
    await active.promise
    const paused = bench.engine.pause()
    interrupt.open()
    await paused
    const worker = await other()
    await worker.start()
    assert.equal((await worker.end(stored.id)).state, 'completed')
    assert.deepEqual(worker.runs, [{ id: stored.id, attempt: 1 }])
  },

  'a task that runs in one process is cancelled from another': async (bench, other) => {
    await bench.start(async (_, { signal }) => {
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
  }
}
