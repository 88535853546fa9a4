import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Engine, EngineQuery, StoredSnapshot } from '../../../types/index.js'
import { type Check, error, latch, task } from './rig.js'

/** What the optional method `list` shows. A case passes where the method does not exist. */
export const looking: Record<string, Check> = {
  'list gives the tasks of each state as get gives them, with what else is known, and without payloads': async (rig) => {
    const { engine } = rig
    if (engine.list === undefined) return
    const name = randomUUID()
    const gate = latch()
    await rig.start(async ({ payload }) => {
      if (payload === 'fail') return { state: 'failed', error: { ...error, code: 'E_LUCK' } }
      if (payload === 'block') await gate.promise
      return { state: 'completed', result: { ok: true } }
    }, { concurrency: 1 })
    const more = { name, reqId: 'req-1' }
    const done = task({ ...more, key: 'done' })
    const failed = task({ ...more, payload: 'fail' })
    const active = task({ ...more, payload: 'block' })
    const waiting = task({ ...more, key: 'waiting' })
    const first = task({ ...more, priority: 1 })
    const delayed = task({ ...more, delay: 60_000 })
    const cancelled = task({ ...more, delay: 60_000, key: 'cancelled' })
    for (const stored of [done, failed]) {
      await engine.add([stored])
      await rig.end(stored.id)
    }
    await engine.add([active])
    await rig.until(active.id, ({ state }) => state === 'active')
    for (const stored of [waiting, first, delayed, cancelled]) await engine.add([stored])
    await engine.cancel(cancelled.id)
    const byState = { completed: [done], failed: [failed], active: [active], waiting: [waiting, first], delayed: [delayed], cancelled: [cancelled] }
    for (const [state, tasks] of Object.entries(byState)) {
      const { tasks: found, cursor } = await engine.list({ state: state as EngineQuery['state'], name, limit: 200 })
      assert.equal(cursor, undefined)
      assert.deepEqual(found.map(({ nextRunAt, ...rest }) => rest), await Promise.all(tasks.map(async ({ id, key, reqId }) =>
        ({ ...await engine.get(id), reqId, ...(key !== undefined && { key }) }))), state)
      const due = found.map(({ nextRunAt }) => nextRunAt !== undefined && Date.parse(nextRunAt) >= delayed.createdAt + 60_000)
      assert.deepEqual(due, tasks.map(() => state === 'delayed'))
    }
    gate.open()
    for (const { id } of [active, waiting, first]) await rig.end(id)
    await engine.cancel(delayed.id)
  },

  'list gives every task once, page by page: finished ones latest first, unfinished ones oldest first': async (rig) => {
    const { engine } = rig
    if (engine.list === undefined) return
    const batch = Array.from({ length: 5 }, () => task({ name: randomUUID(), delay: 60_000 }))
    const { name } = batch[0]!
    for (const [index, stored] of batch.entries()) await engine.add([{ ...stored, name, delay: stored.delay! + index }])
    await rig.start(undefined, { worker: false })
    const ids = batch.map(({ id }) => id)
    assert.deepEqual(await idsOf(engine, { state: 'delayed', name, limit: 2 }), ids)
    for (const { id } of batch) {
      await engine.cancel(id)
      await nextMillisecond()
    }
    assert.deepEqual(await idsOf(engine, { state: 'delayed', name, limit: 2 }), [])
    assert.deepEqual(await idsOf(engine, { state: 'cancelled', name, limit: 2 }), ids.reverse())
    assert.deepEqual(await idsOf(engine, { state: 'failed', name, limit: 2 }), [])
    assert.deepEqual(await idsOf(engine, { state: 'cancelled', name, limit: 5 }), ids)
  },

  'list looks at no more tasks than it may, says at how many, and goes on from there': async (rig) => {
    const { engine } = rig
    if (engine.list === undefined) return
    const [wanted, other] = [randomUUID(), randomUUID()]
    const batch = [other, other, other, wanted].map((name) => task({ name, delay: 60_000 }))
    for (const stored of batch) await engine.add([stored])
    await rig.start(undefined, { worker: false })
    const query: EngineQuery = { state: 'delayed', name: wanted, limit: 10, scan: 2 }
    const pages = await pagesOf(engine, query)
    assert.deepEqual(pages.flatMap(({ tasks }) => tasks.map(({ id }) => id)), [batch[3]!.id])
    assert.ok(pages.length > 1 && pages.every(({ scanned }) => scanned <= 2))
    assert.ok(pages.reduce((sum, { scanned }) => sum + scanned, 0) >= batch.length)
    for (const { id } of batch) await engine.cancel(id)
  },

  'payload gives what add got, with request and key, of a task that waits and of one that has ended': async (rig) => {
    const { engine } = rig
    if (engine.payload === undefined) return
    await rig.start(() => ({ state: 'completed', result: { ok: true } }))
    const payload = { list: [1, { deep: null }], text: '\u20ac</script>' }
    const plain = task({ payload })
    const waiting = task({ payload, delay: 60_000, key: randomUUID(), reqId: 'req-1' })
    for (const stored of [plain, waiting]) await engine.add([stored])
    await rig.end(plain.id)
    assert.deepEqual(await engine.payload(plain.id), { payload })
    assert.deepEqual(await engine.payload(waiting.id), { payload, key: waiting.key, reqId: 'req-1' })
    assert.equal(await engine.payload(randomUUID()), undefined)
    await engine.cancel(waiting.id)
    assert.deepEqual((await engine.payload(waiting.id))?.payload, payload)
  },

  'list refuses a cursor that is none of its own': async (rig) => {
    const { engine } = rig
    if (engine.list === undefined) return
    await rig.start()
    for (const state of ['waiting', 'delayed', 'failed'] as const) {
      await assert.rejects(async () => await engine.list!({ state, limit: 1, cursor: 'no cursor' }), { code: 'FST_BGT_INVALID_OPTIONS' })
    }
  }
}

async function pagesOf (engine: Engine, query: EngineQuery): Promise<Array<{ tasks: StoredSnapshot[], scanned: number }>> {
  const pages: Array<{ tasks: StoredSnapshot[], scanned: number }> = []
  let cursor: string | undefined
  do {
    const page = await engine.list!({ ...query, ...(cursor !== undefined && { cursor }) })
    assert.ok(page.tasks.length <= query.limit)
    pages.push(page)
    cursor = page.cursor
  } while (cursor !== undefined)
  return pages
}

async function idsOf (engine: Engine, query: EngineQuery): Promise<string[]> {
  return (await pagesOf(engine, query)).flatMap(({ tasks }) => tasks.map(({ id }) => id))
}

async function nextMillisecond (): Promise<void> {
  const now = Date.now()
  while (Date.now() === now) await new Promise(setImmediate)
}
