import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type Check, completed, error, latch, task } from './rig.js'

/** What the optional method `retry` does. A case passes where it does not exist. */
export const retrying: Record<string, Check> = {
  'a failed task runs again under its id, from attempt 1 and with its payload': async (rig) => {
    if (rig.engine.retry === undefined) return
    const seen: unknown[] = []
    let isLucky = false
    await rig.start(({ payload, key, reqId, retry }, { attempt, progress }) => {
      seen.push({ payload, key, reqId, retry, attempt })
      if (isLucky) return { state: 'completed', result: 'luck' }
      progress(0.5)
      return attempt === 1 ? { state: 'delayed', error, delay: 0 } : { state: 'failed', error }
    })
    const retry = { retries: 1, delay: 0, factor: 1, maxDelay: 0, jitter: false }
    const stored = task({ payload: { list: [], text: 'ü' }, key: randomUUID(), reqId: 'req-1', retry, priority: 2, delay: 1 })
    await rig.engine.add([stored])
    const { startedAt, finishedAt } = await rig.end(stored.id)
    // A second time as well: nothing of the first retry may be in the way.
    for (isLucky of [false, true]) {
      assert.equal(await rig.engine.retry(stored.id), true)
      await rig.end(stored.id)
    }
    const { startedAt: startedAgain, finishedAt: finishedAgain, ...snapshot } = (await rig.engine.get(stored.id))!
    const createdAt = new Date(stored.createdAt).toISOString()
    assert.deepEqual(snapshot, { id: stored.id, name: stored.name, state: 'completed', attempt: 1, createdAt, result: 'luck' })
    assert.ok(startedAgain! >= startedAt! && finishedAgain! >= finishedAt!)
    const { payload, key, reqId } = stored
    assert.deepEqual(seen, [1, 2, 1, 2, 1].map((attempt) => ({ payload, key, reqId, retry, attempt })))
  },

  'a task that is run again waits as a new one does': async (rig) => {
    if (rig.engine.retry === undefined) return
    const gate = latch()
    const blocker = task()
    const stored = task()
    await rig.start(async ({ id }) => {
      if (id === stored.id) return { state: 'failed', error }
      await gate.promise
      return completed
    }, { concurrency: 1 })
    await rig.engine.add([stored])
    await rig.end(stored.id)
    await rig.engine.add([blocker])
    await rig.until(blocker.id, ({ state }) => state === 'active')
    assert.equal(await rig.engine.retry(stored.id), true)
    const createdAt = new Date(stored.createdAt).toISOString()
    assert.deepEqual(await rig.engine.get(stored.id), { id: stored.id, name: stored.name, state: 'waiting', attempt: 1, createdAt })
    gate.open()
    await rig.end(stored.id)
  },

  'a cancelled task runs again, whether it had started or not, and completes': async (rig) => {
    if (rig.engine.retry === undefined) return
    const active = latch()
    let isCancelling = true
    const running = task({ payload: 'running' })
    await rig.start(async ({ payload }, { signal }) => {
      if (payload !== 'running' || !isCancelling) return completed
      active.open()
      if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
      return { state: 'cancelled', error }
    })
    const batch = [running, task({ delay: 60_000 }), task({ delay: 60_000, priority: 1, key: randomUUID() })]
    await rig.engine.add(batch)
    await active.promise
    for (const { id } of batch) {
      assert.equal(await rig.engine.cancel(id), true)
      assert.equal((await rig.end(id)).state, 'cancelled')
    }
    isCancelling = false
    for (const { id } of batch) {
      assert.equal(await rig.engine.retry(id), true)
      const { state, attempt, error } = await rig.end(id)
      assert.deepEqual({ state, attempt, error }, { state: 'completed', attempt: 1, error: undefined })
    }
  },

  'a task that has not ended, has completed or is unknown does not run again': async (rig) => {
    if (rig.engine.retry === undefined) return
    const gate = latch()
    const [done, active, waiting, delayed] = [task(), task({ payload: 'block' }), task(), task({ delay: 60_000 })]
    await rig.start(async ({ payload }) => {
      if (payload === 'block') await gate.promise
      return completed
    }, { concurrency: 1 })
    await rig.engine.add([done])
    await rig.end(done.id)
    await rig.engine.add([active])
    await rig.until(active.id, ({ state }) => state === 'active')
    await rig.engine.add([waiting, delayed])
    for (const id of [done.id, active.id, waiting.id, delayed.id, randomUUID(), 'id']) assert.equal(await rig.engine.retry(id), false, id)
    gate.open()
    for (const { id } of [active, waiting]) await rig.end(id)
    assert.deepEqual(rig.runs.map(({ id }) => id), [done.id, active.id, waiting.id])
    await rig.engine.cancel(delayed.id)
  }
}
