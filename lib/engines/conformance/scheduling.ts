import assert from 'node:assert/strict'
import { type Check, type Rig, completed, error, latch, task } from './rig.js'

const retry = { retries: 2, delay: 50, factor: 1, maxDelay: 50, jitter: false }

/** Cases about the time at which tasks run. */
export const scheduling: Record<string, Check> = {
  'a delayed outcome is run again, with the next attempt number, and not before its delay': async (rig) => {
    const times: number[] = []
    let started: string | undefined
    await rig.start((_, { attempt }) => {
      times.push(performance.now())
      started ??= new Date().toISOString()
      return attempt < 3 ? { state: 'delayed', error, delay: 50 } : completed
    })
    const stored = task({ retry })
    await rig.engine.add([stored])
    const snapshot = await rig.end(stored.id)
    assert.deepEqual([snapshot.state, snapshot.attempt], ['completed', 3])
    assert.ok(snapshot.startedAt! <= started!)
    assert.deepEqual(rig.runs.map(({ attempt }) => attempt), [1, 2, 3])
    // Timers may be up to a millisecond early.
    assert.ok(times[1]! - times[0]! >= 48 && times[2]! - times[1]! >= 48)
  },

  'a delay holds the first attempt back': async (rig) => {
    const started = performance.now()
    await rig.start()
    const soon = task({ delay: 100 })
    const late = task({ delay: 60_000 })
    await rig.engine.add([soon, late])
    assert.equal((await rig.until(late.id, () => true)).state, 'delayed')
    await rig.end(soon.id)
    assert.ok(performance.now() - started >= 98)
    assert.deepEqual(rig.runs, [{ id: soon.id, attempt: 1 }])
    await rig.engine.cancel(late.id)
    await rig.end(late.id)
  },

  'lower priority values start first': async (rig) => {
    const batch = [task({ priority: 9 }), task({ priority: 3 }), task(), task({ priority: 3 })]
    await rig.engine.add(batch)
    await rig.start(undefined, { concurrency: 1 })
    for (const { id } of batch) await rig.end(id)
    assert.deepEqual(rig.runs.map(({ id }) => id), [batch[2], batch[1], batch[3], batch[0]].map((stored) => stored!.id))
  },

  'a task that is given back runs again, with the same attempt number, and not before its delay': async (rig) => {
    const times: number[] = []
    await rig.start(() => {
      times.push(performance.now())
      return times.length < 2 ? { state: 'interrupted', delay: 50 } : completed
    })
    const stored = task()
    await rig.engine.add([stored])
    assert.equal((await rig.end(stored.id)).state, 'completed')
    assert.deepEqual(rig.runs, [{ id: stored.id, attempt: 1 }, { id: stored.id, attempt: 1 }])
    assert.ok(times[1]! - times[0]! >= 48)
  },

  'no more tasks than the concurrency run at once': async (rig) => {
    let running = 0
    let most = 0
    await rig.start(async () => {
      most = Math.max(most, ++running)
      await new Promise(setImmediate)
      running--
      return completed
    }, { concurrency: 2 })
    const batch = Array.from({ length: 10 }, () => task())
    await rig.engine.add(batch)
    for (const { id } of batch) await rig.end(id)
    assert.ok(most <= 2, `${most} at once`)
  },

  'a cancelled task that waits never runs': async (rig) => {
    const stored = task({ delay: 60_000 })
    await rig.start(undefined, { concurrency: 1 })
    await rig.engine.add([stored])
    assert.equal(await rig.engine.cancel(stored.id, 'not needed'), true)
    const ended = await rig.end(stored.id)
    assert.deepEqual([ended.state, ended.attempt, ended.startedAt], ['cancelled', 1, undefined])
    assert.equal(await rig.engine.cancel(stored.id), false)
    await runAnother(rig)
    assert.deepEqual(await rig.engine.get(stored.id), ended)
    assert.ok(rig.runs.every(({ id }) => id !== stored.id))
  },

  'a task cancelled before its retry does not run again': async (rig) => {
    const stored = task({ retry })
    await rig.start(({ id }) => id === stored.id ? { state: 'delayed', error, delay: 60_000 } : completed, { concurrency: 1 })
    await rig.engine.add([stored])
    const { startedAt } = await rig.until(stored.id, ({ state }) => state === 'delayed')
    assert.equal(await rig.engine.cancel(stored.id), true)
    const ended = await rig.end(stored.id)
    assert.deepEqual([ended.state, ended.attempt, ended.startedAt], ['cancelled', 1, startedAt])
    await runAnother(rig)
    assert.deepEqual(await rig.engine.get(stored.id), ended)
    assert.deepEqual(rig.runs.filter(({ id }) => id === stored.id), [{ id: stored.id, attempt: 1 }])
  },

  'a task cancelled in an attempt that fails does not run again': async (rig) => {
    const active = latch()
    const cancelled = latch()
    await rig.start(async () => {
      active.open()
      await cancelled.promise
      return { state: 'delayed', error, delay: 0 }
    })
    const stored = task({ retry })
    await rig.engine.add([stored])
    await active.promise
    assert.equal(await rig.engine.cancel(stored.id), true)
    cancelled.open()
    assert.equal((await rig.end(stored.id)).state, 'cancelled')
    assert.equal(rig.runs.length, 1)
  },

  'cancelling an active task aborts its signal with the reason': async (rig) => {
    const active = latch()
    const aborted = latch<unknown>()
    await rig.start(async (_, { signal }) => {
      active.open()
      if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
      aborted.open(signal.reason)
      return { state: 'cancelled', error }
    })
    const stored = task()
    await rig.engine.add([stored])
    await active.promise
    assert.equal((await rig.until(stored.id, ({ state }) => state === 'active')).state, 'active')
    assert.equal(await rig.engine.cancel(stored.id, 'enough'), true)
    assert.equal(await aborted.promise, 'enough')
    assert.equal((await rig.end(stored.id)).state, 'cancelled')
  },

  'a task that has ended cannot be cancelled': async (rig) => {
    await rig.start()
    const stored = task()
    await rig.engine.add([stored])
    await rig.end(stored.id)
    assert.equal(await rig.engine.cancel(stored.id), false)
  }
}

/** Runs another task to its end. With a concurrency of 1, an engine would come to the cancelled task first. */
async function runAnother (rig: Rig): Promise<void> {
  const other = task()
  await rig.engine.add([other])
  await rig.end(other.id)
}
