import { mock } from 'node:test'
import t from 'tap'
import { Latest } from '../../lib/base/latest.js'

t.test('only the last values are kept', async (t) => {
  const latest = new Latest<number>()
  for (let value = 0; value < 5; value++) latest.set(`k${value}`, value, 3)
  t.same([0, 1, 2, 3, 4].map((value) => latest.get(`k${value}`)), [undefined, undefined, 2, 3, 4])
})

t.test('a lower limit deletes as many as are too many, and a limit of 0 keeps none', async (t) => {
  const latest = new Latest<number>()
  for (let value = 0; value < 5; value++) latest.set(`k${value}`, value, Infinity)
  latest.set('k5', 5, 2)
  t.same([3, 4, 5].map((value) => latest.get(`k${value}`)), [undefined, 4, 5])
  latest.set('k6', 6, 0)
  t.same([4, 5, 6].map((value) => latest.get(`k${value}`)), [undefined, undefined, undefined])
})

t.test('a key that was deleted can be set again', async (t) => {
  const latest = new Latest<string>()
  for (const key of ['a', 'b', 'a', 'c', 'b']) latest.set(key, key, 1)
  t.same(['a', 'b', 'c'].map((key) => latest.get(key)), [undefined, 'b', undefined])
})

t.test('the oldest key is not looked for from the start again', async (t) => {
  const keys = mock.method(Map.prototype, 'keys')
  t.teardown(() => { keys.mock.restore() })
  const latest = new Latest<number>()
  for (let value = 0; value < 100; value++) latest.set(`k${value}`, value, 10)
  t.equal(keys.mock.callCount(), 1)
})

t.test('the values come latest first, a deleted one not at all, and one that is set again as a new one', async (t) => {
  const latest = new Latest<string>()
  for (const key of ['a', 'b', 'c']) latest.set(key, key, 3)
  latest.delete('a')
  t.same(latest.newestFirst(), ['c', 'b'])
  for (const key of ['a', 'd']) latest.set(key, key, 3)
  t.same(latest.newestFirst(), ['d', 'a', 'c'])
  t.equal(latest.get('b'), undefined)
})
