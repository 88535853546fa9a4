import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Check, completed, error, latch, task } from './bench.js'

/** Tasks run, and what becomes of them is seen. */
export const running: Record<string, Check> = {
  'a stored task runs once as it was stored, and its result is found': async (bench) => {
    const seen: unknown[] = []
    await bench.start((task) => {
      seen.push(task)
      return { state: 'completed', result: { ok: true } }
    })
    const stored = task({
      payload: { text: 'ü', list: [1, null, { deep: true }] },
      timeout: 10_000,
      retry: { retries: 1, delay: 50, factor: 1, maxDelay: 50, jitter: false, conditional: true },
      key: 'key',
      reqId: 'req-1',
      trace: { traceparent: '00-1-1-00' }
    })
    assert.deepEqual(await bench.engine.add([stored]), [stored.id])
    const { startedAt, finishedAt, ...rest } = await bench.end(stored.id)
    const createdAt = new Date(stored.createdAt).toISOString()
    assert.deepEqual(rest, { id: stored.id, name: stored.name, state: 'completed', attempt: 1, createdAt, result: { ok: true } })
    assert.ok(startedAt! >= createdAt && finishedAt! >= startedAt!)
    assert.deepEqual(seen, [stored])
  },

  'a result of null is a result, and none is none': async (bench) => {
    const withResult = task()
    const without = task()
    await bench.start(({ id }) => id === withResult.id ? { state: 'completed', result: null } : completed)
    await bench.engine.add([withResult, without])
    assert.equal((await bench.end(withResult.id)).result, null)
    assert.ok(!('result' in await bench.end(without.id)))
  },

  'a batch is stored whole, and each of its tasks runs': async (bench) => {
    await bench.start()
    const batch = Array.from({ length: 20 }, () => task())
    const ids = batch.map(({ id }) => id)
    assert.deepEqual(await bench.engine.add(batch), ids)
    for (const id of ids) assert.equal((await bench.end(id)).state, 'completed')
    assert.deepEqual(bench.runs.map(({ id }) => id).sort(), ids.sort())
  },

  'tasks added before the start run after it': async (bench) => {
    const stored = task()
    await bench.engine.add([stored])
    await bench.start()
    assert.equal((await bench.end(stored.id)).state, 'completed')
  },

  'a process that is no worker stores and runs nothing': async (bench) => {
    await bench.start(undefined, { worker: false })
    const stored = task()
    await bench.engine.add([stored])
    assert.equal((await bench.until(stored.id, () => true)).state, 'waiting')
    assert.deepEqual(bench.runs, [])
  },

  'an id that was never stored is unknown': async (bench) => {
    await bench.start()
    // Clients may ask for anything: an id must not reach what else a store keeps.
    for (const id of [randomUUID(), '', 'id', 'meta', '../../x', '%00', 'x'.repeat(10_000)]) {
      assert.equal(await bench.engine.get(id), undefined)
      assert.equal(await bench.engine.cancel(id), false)
    }
  },

  'a failure is final and is shown': async (bench) => {
    await bench.start(() => ({ state: 'failed', error: { ...error, code: 'E_LUCK' } }))
    const stored = task()
    await bench.engine.add([stored])
    const snapshot = await bench.end(stored.id)
    assert.equal(snapshot.state, 'failed')
    assert.deepEqual(snapshot.error, { ...error, code: 'E_LUCK' })
    assert.equal(bench.runs.length, 1)
  },

  'progress is seen while the task runs': async (bench) => {
    const seen = latch()
    await bench.start(async (_, { progress }) => {
      progress({ done: 1, of: 2 })
      await seen.promise
      return completed
    })
    const stored = task()
    await bench.engine.add([stored])
    const snapshot = await bench.until(stored.id, ({ progress }) => progress !== undefined)
    assert.deepEqual(snapshot.progress, { done: 1, of: 2 })
    seen.open()
    assert.deepEqual((await bench.end(stored.id)).progress, { done: 1, of: 2 })
  }
}
