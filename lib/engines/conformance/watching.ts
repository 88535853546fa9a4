import assert from 'node:assert/strict'
import { type Check, completed, error, latch, task } from './rig.js'

/** What the optional methods `counts` and `watchAll` show. A case passes where its method does not exist. */
export const watching: Record<string, Check> = {
  'counts tells how many tasks are in each state, cancelled ones with those that have failed': async (rig) => {
    const { engine } = rig
    if (engine.counts === undefined) return
    const gate = latch()
    await rig.start(async ({ payload }) => {
      if (payload === 'block') await gate.promise
      return payload === 'fail' ? { state: 'failed', error } : completed
    }, { concurrency: 1 })
    const before = await engine.counts()
    const ended = [task(), task({ payload: 'fail' })]
    for (const stored of ended) {
      await engine.add([stored])
      await rig.end(stored.id)
    }
    const [active, waiting, urgent] = [task({ payload: 'block' }), task(), task({ priority: 5 })]
    const [delayed, cancelled] = [task({ delay: 60_000 }), task({ delay: 60_000 })]
    await engine.add([active])
    await rig.until(active.id, ({ state }) => state === 'active')
    await engine.add([waiting, urgent, delayed, cancelled])
    await engine.cancel(cancelled.id)
    const { waiting: left, active: running, ...rest } = await engine.counts()
    assert.deepEqual({ waiting: left, active: running }, { waiting: 2, active: 1 })
    assert.deepEqual(rest, { delayed: before.delayed + 1, completed: before.completed + 1, failed: before.failed + 2 })
    gate.open()
    for (const { id } of [active, waiting, urgent]) await rig.end(id)
    await engine.cancel(delayed.id)
  },

  'watchAll tells of changes of any task until it is ended': async (rig) => {
    const { engine } = rig
    if (engine.watchAll === undefined) return
    await rig.start(({ payload }) => payload === 'fail' ? { state: 'failed', error } : completed)
    for (const payload of ['fail', 'succeed']) {
      const stored = task({ payload })
      const ended = latch()
      const end = engine.watchAll(() => {
        engine.get(stored.id).then((snapshot) => { if (snapshot?.finishedAt !== undefined) ended.open() }, () => {})
      })
      await engine.add([stored])
      await ended.promise
      end()
    }
    let calls = 0
    engine.watchAll(() => { calls++ })()
    const last = task()
    await engine.add([last])
    await rig.end(last.id)
    assert.equal(calls, 0)
  }
}
