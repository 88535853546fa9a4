import t from 'tap'
import { Semaphore } from '../../lib/threads/semaphore.js'
import { nextTurn } from '../support/turns.js'

const { signal } = new AbortController()

/** Has callers enter, and notes who was let in or turned away. */
function enterAll (semaphore: Semaphore, callers: Array<[name: string, signal: AbortSignal]>): string[] {
  const seen: string[] = []
  for (const [name, signal] of callers) {
    semaphore.enter(signal).then(() => { seen.push(name) }, (reason) => { seen.push(`${name}: ${reason}`) })
  }
  return seen
}

t.test('as many are let in as there is room for, and the others one by one in the order they came', async (t) => {
  const semaphore = new Semaphore(2)
  const seen = enterAll(semaphore, [['a', signal], ['b', signal], ['c', signal], ['d', signal]])
  await nextTurn()
  t.same(seen, ['a', 'b'])
  semaphore.leave()
  await nextTurn()
  t.same(seen, ['a', 'b', 'c'])
  semaphore.leave()
  semaphore.leave()
  await nextTurn()
  t.same(seen, ['a', 'b', 'c', 'd'])
})

t.test('who leaves while nobody waits makes room', async (t) => {
  const semaphore = new Semaphore(1)
  await semaphore.enter(signal)
  semaphore.leave()
  await semaphore.enter(signal)
  semaphore.leave()
  t.same(enterAll(semaphore, []), [])
})

t.test('who waits is turned away by the abort of its signal, and those behind move up', async (t) => {
  const semaphore = new Semaphore(1)
  const controller = new AbortController()
  const seen = enterAll(semaphore, [['a', signal], ['b', controller.signal], ['c', signal]])
  controller.abort('enough')
  await nextTurn()
  t.same(seen, ['a', 'b: enough'])
  semaphore.leave()
  await nextTurn()
  t.same(seen, ['a', 'b: enough', 'c'])
})

t.test('who has been let in stays in when its signal aborts later', async (t) => {
  const semaphore = new Semaphore(1)
  const controller = new AbortController()
  const seen = enterAll(semaphore, [['a', signal], ['b', controller.signal]])
  semaphore.leave()
  controller.abort('enough')
  await nextTurn()
  t.same(seen, ['a', 'b'])
})

t.test('a signal that has aborted before does not get in', async (t) => {
  const semaphore = new Semaphore(1)
  const seen = enterAll(semaphore, [['a', AbortSignal.abort('enough')], ['b', signal]])
  await nextTurn()
  t.same(seen.sort(), ['a: enough', 'b'])
})
