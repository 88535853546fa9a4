import t from 'tap'
import { Deadline } from '../../lib/stored/shared-timeout.js'
import { createLatch } from '../support/latch.js'

const never = (): Promise<never> => new Promise(() => {})
const timers = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length

t.test('a promise settles as it would without a deadline', async (t) => {
  const deadline = new Deadline(10_000)
  t.equal(await deadline.within(async () => 'value'), 'value')
  await t.rejects(deadline.within(async () => { throw new Error('own') }), { message: 'own' })
  await t.rejects(deadline.within(() => { throw new Error('thrown') }), { message: 'thrown' })
})

t.test('each promise has the whole time, counted from its own start', async (t) => {
  const deadline = new Deadline(60)
  const startedAt = performance.now()
  const first = t.rejects(deadline.within(never), { message: 'no answer within 60 ms' })
  const late = createLatch()
  const second = t.resolves(first.then(() => deadline.within(() => late.promise)))
  await first
  t.ok(performance.now() - startedAt >= 59)
  late.resolve()
  await second
  const thirdAt = performance.now()
  await t.rejects(deadline.within(never))
  t.ok(performance.now() - thirdAt >= 59)
})

t.test('promises that are late one after the other each run out of time, those in between do not', async (t) => {
  const deadline = new Deadline(40)
  const latches = [createLatch(), createLatch(), createLatch()]
  const ends: string[] = []
  const waits = latches.map(async ({ promise }, index) => {
    await deadline.within(() => promise).then(() => { ends.push(`${index} in time`) }, () => { ends.push(`${index} late`) })
  })
  latches[1]!.resolve()
  await Promise.all(waits)
  t.same(ends, ['1 in time', '0 late', '2 late'])
  // What comes after its time counts for nothing.
  latches[0]!.resolve()
  latches[2]!.resolve()
  t.equal(await deadline.within(async () => 'next'), 'next')
})

t.test('only what is waited for keeps the process alive, by one timer', async (t) => {
  const deadline = new Deadline(10_000)
  const before = timers()
  const latches = [createLatch(), createLatch()]
  const waits = latches.map(({ promise }) => deadline.within(() => promise))
  t.equal(timers(), before + 1)
  for (const { resolve } of latches) resolve()
  await Promise.all(waits)
  t.equal(timers(), before)
  const latch = createLatch()
  const wait = deadline.within(() => latch.promise)
  t.equal(timers(), before + 1)
  latch.resolve()
  await wait
  t.equal(timers(), before)
})
