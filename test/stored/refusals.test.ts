import t from 'tap'
import { Refusals } from '../../lib/stored/refusals.js'

t.test('of the tasks that are refused the last ten thousand are remembered', async (t) => {
  const refusals = new Refusals()
  const refuse = (id: number | string): number | undefined =>
    refusals.next({ id: String(id), name: 'work', payload: 1, createdAt: Date.now() }, 1)
  t.equal(refuse('first'), 5000)
  t.equal(refuse('first'), 10_000)
  t.equal(refuse('second'), 5000)
  t.equal(refuse('first'), 20_000)
  for (let id = 0; id < 9999; id++) refuse(id)
  t.equal(refuse('first'), 40_000)
  t.equal(refuse('second'), 5000)
})
