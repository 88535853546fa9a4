import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { EngineHost, RunOutcome, StoredTask } from '../../index.js'
import { memoryEngine } from '../../lib/engines/memory/memory-engine.js'
import { createLog } from '../support/log.js'
import { block, countPerTurn } from '../support/per-turn.js'
import { nextTurn, turnUntil } from '../support/turns.js'

const toStored = (): StoredTask => ({ id: randomUUID(), name: 'work', payload: {}, createdAt: Date.now() })

function createHost (run: (task: StoredTask) => Promise<RunOutcome>): EngineHost {
  return { log: createLog().logger as never, worker: true, concurrency: undefined, history: 100, run }
}

t.test('a batch of tasks starts within the slices of several turns', async (t) => {
  const engine = memoryEngine()
  t.teardown(() => engine.close())
  const count = countPerTurn()
  let ran = 0
  await engine.start(createHost(async () => {
    ran++
    count.ran()
    block(1)
    return { state: 'completed' }
  }))
  await Promise.all([engine.add(Array.from({ length: 10 }, toStored)), engine.add([toStored()])])
  await turnUntil(() => ran === 11)
  count.stop()
  t.equal(count.most(), 1)
})

t.test('a task that is added while nothing else starts does so at once', async (t) => {
  const engine = memoryEngine()
  t.teardown(() => engine.close())
  const ran: string[] = []
  await engine.start(createHost(async ({ id }) => {
    ran.push(id)
    return { state: 'completed' }
  }))
  const task = toStored()
  const added = engine.add([task])
  t.same(ran, [task.id])
  await added
})

t.test('tasks that wait for a later turn do not start once the engine is closed', async (t) => {
  const engine = memoryEngine()
  let ran = 0
  await engine.start(createHost(async () => {
    ran++
    block(1)
    return { state: 'completed' }
  }))
  await engine.add([toStored(), toStored()])
  await engine.close()
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  t.equal(ran, 1)
})
