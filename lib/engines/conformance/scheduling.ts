import assert from 'node:assert/strict'
import { type Check, completed, error, latch, task } from './bench.js'

/** When tasks run, and when not. */
export const scheduling: Record<string, Check> = {
  'a delayed outcome is run again, with the next attempt number, and not before its delay': async (bench) => {
    const times: number[] = []
    await bench.start((_, { attempt }) => {
      times.push(performance.now())
      return attempt < 3 ? { state: 'delayed', error, delay: 50 } : completed
    })
    const stored = task({ retry: { retries: 2, delay: 50, factor: 1, maxDelay: 50, jitter: false } })
    await bench.engine.add([stored])
    const snapshot = await bench.end(stored.id)
    assert.deepEqual([snapshot.state, snapshot.attempt], ['completed', 3])
    assert.deepEqual(bench.runs.map(({ attempt }) => attempt), [1, 2, 3])
    // Timers may be up to a millisecond early.
    assert.ok(times[1]! - times[0]! >= 48 && times[2]! - times[1]! >= 48)
  },

  'a delay holds the first attempt back': async (bench) => {
    const started = performance.now()
    await bench.start()
    const soon = task({ delay: 100 })
    const late = task({ delay: 60_000 })
    await bench.engine.add([soon, late])
    assert.equal((await bench.until(late.id, () => true)).state, 'delayed')
    await bench.end(soon.id)
    assert.ok(performance.now() - started >= 98)
    assert.deepEqual(bench.runs, [{ id: soon.id, attempt: 1 }])
    await bench.engine.cancel(late.id)
    await bench.end(late.id)
  },

  'while an unfinished task has the key, adding another of its name gives that one': async (bench) => {
    const gate = latch()
    await bench.start(async () => {
      await gate.promise
      return completed
    })
    const first = task({ key: 'k' })
    const again = task({ key: 'k' })
    const otherName = task({ key: 'k', name: 'conformance-other' })
    const otherKey = task({ key: 'k2' })
    assert.deepEqual(await bench.engine.add([first]), [first.id])
    assert.deepEqual(await bench.engine.add([again, otherName, otherKey]), [first.id, otherName.id, otherKey.id])
    gate.open()
    for (const { id } of [first, otherName, otherKey]) await bench.end(id)
    assert.equal(await bench.engine.get(again.id), undefined)
    const later = task({ key: 'k' })
    assert.deepEqual(await bench.engine.add([later]), [later.id])
    await bench.end(later.id)
  },

  'lower priority values start first': async (bench) => {
    const batch = [task({ priority: 9 }), task({ priority: 3 }), task(), task({ priority: 3 })]
    await bench.engine.add(batch)
    await bench.start(undefined, { concurrency: 1 })
    for (const { id } of batch) await bench.end(id)
    assert.deepEqual(bench.runs.map(({ id }) => id), [batch[2], batch[1], batch[3], batch[0]].map((stored) => stored!.id))
  },

  'no more tasks than the concurrency run at once': async (bench) => {
    let running = 0
    let most = 0
    await bench.start(async () => {
      most = Math.max(most, ++running)
      await new Promise(setImmediate)
      running--
      return completed
    }, { concurrency: 2 })
    const batch = Array.from({ length: 10 }, () => task())
    await bench.engine.add(batch)
    for (const { id } of batch) await bench.end(id)
    assert.ok(most <= 2, `${most} at once`)
  },

  'a cancelled task that waits never runs': async (bench) => {
    const stored = task({ delay: 60_000 })
    await bench.start()
    await bench.engine.add([stored])
    assert.equal(await bench.engine.cancel(stored.id, 'not needed'), true)
    assert.equal((await bench.end(stored.id)).state, 'cancelled')
    assert.equal(await bench.engine.cancel(stored.id), false)
    assert.deepEqual(bench.runs, [])
  },

  'a task cancelled before it runs frees its key at once': async (bench) => {
    const gate = latch()
    const blocker = task()
    const again = [task({ key: 'waiting' }), task({ key: 'delayed' })]
    const merged: string[] = []
    await bench.start(async ({ id, key }) => {
      if (id === blocker.id) await gate.promise
      else merged.push(...await bench.engine.add([task({ key: key! })]))
      return completed
    }, { concurrency: 1 })
    await bench.engine.add([blocker])
    await bench.until(blocker.id, ({ state }) => state === 'active')
    const cancelled = [task({ key: 'waiting' }), task({ key: 'delayed', delay: 60_000 })]
    await bench.engine.add(cancelled)
    for (const { id } of cancelled) assert.equal(await bench.engine.cancel(id), true)
    const ids = again.map(({ id }) => id)
    assert.deepEqual(await bench.engine.add(again), ids)
    gate.open()
    for (const { id } of again) assert.equal((await bench.end(id)).state, 'completed')
    assert.deepEqual(bench.runs.map(({ id }) => id), [blocker.id, ...ids])
    // That the cancelled tasks are gone has not freed the keys once more.
    assert.deepEqual(merged, ids)
  },

  'cancelling an active task aborts its signal with the reason': async (bench) => {
    const active = latch()
    const aborted = latch<unknown>()
    await bench.start(async (_, { signal }) => {
      active.open()
      if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
      aborted.open(signal.reason)
      return { state: 'cancelled', error }
    })
    const stored = task()
    await bench.engine.add([stored])
    await active.promise
    assert.equal((await bench.until(stored.id, ({ state }) => state === 'active')).state, 'active')
    assert.equal(await bench.engine.cancel(stored.id, 'enough'), true)
    assert.equal(await aborted.promise, 'enough')
    assert.equal((await bench.end(stored.id)).state, 'cancelled')
  },

  'a task that has ended cannot be cancelled': async (bench) => {
    await bench.start()
    const stored = task()
    await bench.engine.add([stored])
    await bench.end(stored.id)
    assert.equal(await bench.engine.cancel(stored.id), false)
  }
}
