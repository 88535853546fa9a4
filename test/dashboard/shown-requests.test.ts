import t from 'tap'
import type { RecordedRequest } from '../../lib/dashboard/recorded-request.js'
import { ShownRequests } from '../../lib/dashboard/shown-requests.js'
import { createScene } from '../support/dashboard.js'

/** Requests whose texts tell how often they have changed. */
function createRequests (from: number, to: number, version = 1): Array<{ number: number, text: string }> {
  return Array.from({ length: to - from + 1 }, (_, index) => ({ number: from + index, text: `${from + index}.${version}` }))
}

function write (shown: ShownRequests, requests: Array<{ number: number, text: string }>): { texts: string[], isDone: boolean } {
  const entries = new Map<string, string>()
  const isDone = shown.write(requests as unknown as RecordedRequest[], entries)
  for (const [key, text] of entries) t.equal(`request:${text.split('.')[0]}`, key)
  return { texts: [...entries.values()], isDone }
}

t.test('the first time all requests are written, then 40 changes at a time, the newest first', async (t) => {
  const shown = new ShownRequests()
  t.match(write(shown, createRequests(1, 100)), { texts: { length: 100 }, isDone: true })
  t.match(write(shown, createRequests(1, 100)), { texts: { length: 100 }, isDone: true })

  const changed = createRequests(1, 100, 2)
  const { texts, isDone } = write(shown, changed)
  t.equal(isDone, false)
  t.same(texts, [...changed.slice(60), ...createRequests(1, 60)].map(({ text }) => text).sort((a, b) => Number.parseInt(b) - Number.parseInt(a)))
  t.match(write(shown, changed), { isDone: false })
  const last = write(shown, changed)
  t.equal(last.isDone, true)
  t.same(last.texts.filter((text) => text.endsWith('.1')), [])
})

t.test('a request that is new and has to wait is not written, and one that was dropped is forgotten', async (t) => {
  const shown = new ShownRequests()
  write(shown, [])
  const { texts, isDone } = write(shown, createRequests(1, 50))
  t.same([texts.length, texts[0], texts.at(-1), isDone], [40, '50.1', '11.1', false])
  t.match(write(shown, createRequests(45, 60)), { texts: { length: 16 }, isDone: true })
  t.match(write(shown, createRequests(1, 60)), { texts: { length: 56 }, isDone: false })
})

t.test('after a burst all of its requests are shown soon, without any further change', async (t) => {
  const { app, look } = await createScene(t)
  app.get('/', async (req) => {
    req.backgroundTasks.add(() => {})
    return {}
  })
  const client = await look()
  await client.whole()
  await Promise.all(Array.from({ length: 150 }, () => app.inject('/')))
  const entries = await client.until((entries) => Object.keys(entries).filter((key) => key.startsWith('request:')).length === 150)
  t.ok(entries['request:1'])
})
