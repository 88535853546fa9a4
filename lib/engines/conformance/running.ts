import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Check, completed, error, latch, task } from './rig.js'

/** Cases about attempts and their outcomes. */
export const running: Record<string, Check> = {
  'a stored task runs once as it was stored, and its result is found': async (rig) => {
    const seen: unknown[] = []
    await rig.start((task) => {
      seen.push(task)
      return { state: 'completed', result: { ok: true } }
    })
    const stored = task({
      payload: { text: 'ü', list: [1, null, { deep: true }] },
      timeout: 10_000,
      retry: { retries: 1, delay: 50, factor: 1, maxDelay: 50, jitter: false, conditional: true },
      key: 'key',
      priority: 3,
      reqId: 'req-1',
      trace: { traceparent: '00-1-1-00' }
    })
    assert.deepEqual(await rig.engine.add([stored]), [stored.id])
    const { startedAt, finishedAt, ...rest } = await rig.end(stored.id)
    const createdAt = new Date(stored.createdAt).toISOString()
    assert.deepEqual(rest, { id: stored.id, name: stored.name, state: 'completed', attempt: 1, createdAt, result: { ok: true } })
    assert.ok(startedAt! >= createdAt && finishedAt! >= startedAt!)
    assert.deepEqual(seen, [stored])
  },

  'a result of null is a result, and none is none': async (rig) => {
    const withResult = task()
    const without = task()
    await rig.start(({ id }) => id === withResult.id ? { state: 'completed', result: null } : completed)
    await rig.engine.add([withResult, without])
    assert.equal((await rig.end(withResult.id)).result, null)
    assert.ok(!('result' in await rig.end(without.id)))
  },

  'a batch is stored whole, and each of its tasks runs': async (rig) => {
    await rig.start()
    const batch = Array.from({ length: 20 }, () => task())
    const ids = batch.map(({ id }) => id)
    assert.deepEqual(await rig.engine.add(batch), ids)
    for (const id of ids) assert.equal((await rig.end(id)).state, 'completed')
    assert.deepEqual(rig.runs.map(({ id }) => id).sort(), ids.sort())
  },

  'a batch is not stored in part': async (rig) => {
    await rig.start()
    const unstorable = task({ payload: { toJSON () { throw error } } })
    const batch = [task(), unstorable, task()]
    const isStored = await rig.engine.add(batch).then(() => true, () => false)
    for (const { id } of batch) {
      if (isStored) await rig.end(id)
      else assert.equal(await rig.engine.get(id), undefined)
    }
  },

  'tasks added before the start run after it': async (rig) => {
    const stored = task()
    await rig.engine.add([stored])
    await rig.start()
    assert.equal((await rig.end(stored.id)).state, 'completed')
  },

  'a process that is no worker stores and runs nothing': async (rig) => {
    await rig.start(undefined, { worker: false })
    const stored = task()
    await rig.engine.add([stored])
    assert.equal((await rig.until(stored.id, () => true)).state, 'waiting')
    assert.deepEqual(rig.runs, [])
  },

  'an id that was never stored is unknown': async (rig) => {
    await rig.start()
    // A client may ask for any id. The id must not reach other keys of a store.
    for (const id of [randomUUID(), '', 'id', 'meta', '../../x', '%00', 'x'.repeat(10_000)]) {
      assert.equal(await rig.engine.get(id), undefined)
      assert.equal(await rig.engine.cancel(id), false)
    }
  },

  'a failure is final and is shown': async (rig) => {
    await rig.start(() => ({ state: 'failed', error: { ...error, code: 'E_LUCK' } }))
    const stored = task()
    await rig.engine.add([stored])
    const snapshot = await rig.end(stored.id)
    assert.equal(snapshot.state, 'failed')
    assert.deepEqual(snapshot.error, { ...error, code: 'E_LUCK' })
    assert.equal(rig.runs.length, 1)
  },

  'progress is seen while the task runs': async (rig) => {
    const seen = latch()
    await rig.start(async (_, { progress }) => {
      progress({ done: 1, of: 2 })
      await seen.promise
      return completed
    })
    const stored = task()
    await rig.engine.add([stored])
    const snapshot = await rig.until(stored.id, ({ progress }) => progress !== undefined)
    assert.deepEqual(snapshot.progress, { done: 1, of: 2 })
    seen.open()
    assert.deepEqual((await rig.end(stored.id)).progress, { done: 1, of: 2 })
  }
}
