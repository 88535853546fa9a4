import t from 'tap'
import { SharedTimeout } from '../../lib/stored/shared-timeout.js'
import { useFakeClock } from '../support/clock.js'
import { createLatch } from '../support/latch.js'
import { nextTurn } from '../support/turns.js'

const never = (): Promise<never> => new Promise(() => {})
const timers = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length

t.test('a promise settles as it would without a timeout', async (t) => {
  const timeout = new SharedTimeout(10_000)
  t.equal(await timeout.within(async () => 'value'), 'value')
  await t.rejects(timeout.within(async () => { throw new Error('own') }), { message: 'own' })
  await t.rejects(timeout.within(() => { throw new Error('thrown') }), { message: 'thrown' })
})

t.test('each promise has the whole time, counted from its own start', async (t) => {
  const timeout = new SharedTimeout(60)
  const startedAt = performance.now()
  const first = t.rejects(timeout.within(never), { message: 'no answer within 60 ms' })
  const late = createLatch()
  const second = t.resolves(first.then(() => timeout.within(() => late.promise)))
  await first
  t.ok(performance.now() - startedAt >= 59)
  late.resolve()
  await second
  const thirdAt = performance.now()
  await t.rejects(timeout.within(never))
  t.ok(performance.now() - thirdAt >= 59)
})

t.test('promises that are late one after the other each run out of time, those in between do not', async (t) => {
  const timeout = new SharedTimeout(40)
  const latches = [createLatch(), createLatch(), createLatch()]
  const ends: string[] = []
  const waits = latches.map(async ({ promise }, index) => {
    await timeout.within(() => promise).then(() => { ends.push(`${index} in time`) }, () => { ends.push(`${index} late`) })
  })
  latches[1]!.resolve()
  await Promise.all(waits)
  t.same(ends, ['1 in time', '0 late', '2 late'])
  // What comes after its time counts for nothing.
  latches[0]!.resolve()
  latches[2]!.resolve()
  t.equal(await timeout.within(async () => 'next'), 'next')
})

t.test('only what is waited for keeps the process alive, by one timer', async (t) => {
  const timeout = new SharedTimeout(10_000)
  const before = timers()
  const latches = [createLatch(), createLatch()]
  const waits = latches.map(({ promise }) => timeout.within(() => promise))
  t.equal(timers(), before + 1)
  for (const { resolve } of latches) resolve()
  await Promise.all(waits)
  t.equal(timers(), before)
  const latch = createLatch()
  const wait = timeout.within(() => latch.promise)
  t.equal(timers(), before + 1)
  latch.resolve()
  await wait
  t.equal(timers(), before)
})

t.test('no timer is left when the event loop was held past the time and nothing waits', async (t) => {
  const timeout = new SharedTimeout(20)
  await timeout.within(async () => {})
  const before = timers()
  // The loop is held until the timer is due, and one turn later it has called back.
  const heldUntil = performance.now() + 60
  while (performance.now() < heldUntil);
  for (let turn = 0; turn < 3; turn++) await nextTurn()
  t.equal(timers(), before)
  t.equal(await timeout.within(async () => 'next'), 'next')
})

t.test('an answer that comes in the turn in which the time ends is in time', async (t) => {
  const tick = useFakeClock(t)
  const timeout = new SharedTimeout(40)
  const latch = createLatch<string>()
  const answer = timeout.within(() => latch.promise)
  const none = t.rejects(timeout.within(never), { message: 'no answer within 40 ms' })
  tick(40)
  latch.resolve('just in time')
  t.equal(await answer, 'just in time')
  await none
})

t.test('where the event loop was held past the time, an answer may still come a little later', async (t) => {
  const tick = useFakeClock(t)
  const timeout = new SharedTimeout(40)
  const latch = createLatch<string>()
  let isRejected = false
  const answer = timeout.within(() => latch.promise)
  const none = timeout.within(never).catch(() => { isRejected = true })
  tick(300)
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  latch.resolve('read late')
  t.equal(await answer, 'read late')
  tick(199)
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  t.equal(isRejected, false)
  tick(1)
  await none
  t.equal(isRejected, true, 'but not for ever')
  const next = t.rejects(timeout.within(never), { message: 'no answer within 40 ms' }, 'the next one has its usual time')
  tick(40)
  await next
})

t.test('promises that begin in the turn in which another one runs out of time have their whole time', async (t) => {
  const tick = useFakeClock(t)
  const timeout = new SharedTimeout(40)
  let isRejected = false
  const first = t.rejects(timeout.within(never))
  tick(40)
  const second = timeout.within(never).catch(() => { isRejected = true })
  await first
  tick(39)
  await nextTurn()
  t.equal(isRejected, false)
  tick(1)
  await second
})

t.test('fake timers that are thrown away do not keep a promise from running out of time', async (t) => {
  const timeout = new SharedTimeout(5)
  const real = globalThis.setImmediate
  t.teardown(() => { globalThis.setImmediate = real })
  globalThis.setImmediate = (() => { t.fail('a fake one is used') }) as unknown as typeof setImmediate
  await t.rejects(timeout.within(never), { message: 'no answer within 5 ms' })
})
