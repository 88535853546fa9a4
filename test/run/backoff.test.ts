import t from 'tap'
import { nextDelay } from '../../lib/run/backoff.js'

const options = { retries: 10, delay: 1000, factor: 2, maxDelay: 30_000, jitter: false, retryIf: undefined }
const retries = [1, 2, 3, 4, 5, 6, 7]

t.test('the delay grows by the factor up to maxDelay', async (t) => {
  t.same(retries.map((retry) => nextDelay(retry, options)), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  t.same(retries.map((retry) => nextDelay(retry, { ...options, delay: 10, factor: 1.5, maxDelay: 50 })),
    [10, 15, 23, 34, 50, 50, 50])
  t.same(retries.map((retry) => nextDelay(retry, { ...options, factor: 1 })), Array(7).fill(1000))
})

t.test('maxDelay caps the first delay too', async (t) => {
  t.equal(nextDelay(1, { ...options, maxDelay: 10 }), 10)
  t.equal(nextDelay(1, { ...options, maxDelay: 0 }), 0)
})

t.test('with jitter the delay is anything from 0 to that', async (t) => {
  const jittered = { ...options, jitter: true }
  t.same(retries.map((retry) => nextDelay(retry, jittered, () => 0)), Array(7).fill(0))
  t.same(retries.map((retry) => nextDelay(retry, jittered, () => 0.5)), [500, 1000, 2000, 4000, 8000, 15_000, 15_000])
  const delays = Array.from({ length: 200 }, () => nextDelay(1, jittered))
  t.ok(delays.every((delay) => Number.isInteger(delay) && delay >= 0 && delay <= 1000))
  t.ok(new Set(delays).size > 1)
})

t.test('without jitter nothing is random', async (t) => {
  t.equal(nextDelay(1, options, () => { throw new Error('random') }), 1000)
})

t.test('the delay stays a number however often the factor is applied', async (t) => {
  t.equal(nextDelay(2000, options), 30_000)
  t.equal(nextDelay(2000, { ...options, delay: 0 }), 0)
  t.equal(nextDelay(3, { ...options, factor: Number.MAX_VALUE }), 30_000)
  t.equal(nextDelay(3, { ...options, delay: 0, factor: Number.MAX_VALUE }), 0)
})
