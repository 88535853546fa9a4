import t from 'tap'
import { isId } from '../../lib/engines/bullmq/jobs.js'
import { tickId, uuidV5 } from '../../lib/stored/tick-id.js'

const at = Date.parse('2026-03-29T01:00:00Z')

t.test('uuidV5 makes the UUID of the example in RFC 9562', async (t) => {
  t.equal(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com'), '2ed6657d-e927-568b-95e1-2665a8aea6a2')
})

t.test('the id of a tick is the same in every version of this package, so that old and new processes add one task', async (t) => {
  t.equal(tickId('nightly', at), '4f03b489-5ece-53b4-aa6e-f3bfc080ce11')
})

t.test('another name or time makes another id, and BullMQ takes it', async (t) => {
  const ids = [tickId('nightly', at), tickId('nightly', at + 1), tickId('daily', at), tickId('nightly\u20281', at)]
  t.equal(new Set(ids).size, ids.length)
  t.ok(ids.every(isId))
})
