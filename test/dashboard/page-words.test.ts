import t from 'tap'
import { ago, duration, plural, rate, until } from '../../lib/dashboard/page/format.js'
import { endOf, isUnfinished, segmentName, segmentsOf, summaryOf } from '../../lib/dashboard/page/lanes.js'
import { parseHash, streamQuery, tasksHash } from '../../lib/dashboard/page/route.js'
import { createScale } from '../../lib/dashboard/page/scale.js'
import { readEvents, type ServerEvent } from '../../lib/dashboard/page/server-events.js'
import { verdictOf } from '../../lib/dashboard/page/verdict.js'
import type { Lane } from '../../lib/dashboard/view.js'

t.test('lengths of time are said in few digits', async (t) => {
  const said = [0, 0.04, 0.4, 3.25, 9.96, 412.4, 999.6, 1254, 12_345, 59_960, 252_000, 3_599_700, 11_040_000, 183_600_000].map(duration)
  t.same(said, ['0 ms', '0 ms', '0.4 ms', '3.3 ms', '10 ms', '412 ms', '1 s', '1.25 s', '12.3 s', '1 min', '4 min 12 s', '1 h', '3 h 4 min', '2 d 3 h'])
  t.same([500, 12_900, 90_000, 7_200_000, 180_000_000].map(ago), ['now', '12 s ago', '1 min ago', '2 h ago', '2 d ago'])
  t.same([300, 4200, 90_000].map(until), ['now', 'in 4 s', 'in 1 min 30 s'])
  t.same([0, 1.6, 3, 12.4, 1234].map(rate), ['0', '1.6', '3', '12', '1,234'])
  t.same([1, 2, 1000].map((value) => plural(value, 'task')), ['1 task', '2 tasks', '1,000 tasks'])
})

t.test('an axis has round steps, room behind the last moment, and one unit', async (t) => {
  const labels = (last: number): string[] => {
    const { ticks, label } = createScale(last)
    return ticks.map(label)
  }
  t.same(labels(1392), ['0 ms', '500 ms', '1000 ms', '1500 ms'])
  t.same(labels(0), ['0 ms', '0.2 ms', '0.4 ms', '0.6 ms', '0.8 ms', '1 ms', '1.2 ms'])
  t.same(labels(42_000), ['0 s', '10 s', '20 s', '30 s', '40 s', '50 s'])
  t.same(labels(130_000), ['0 ms', '30 s', '1 min', '1 min 30 s', '2 min', '2 min 30 s'])
  t.same(labels(5_000_000), ['0 ms', '15 min', '30 min', '45 min', '1 h', '1 h 15 min', '1 h 30 min'])
  t.equal(labels(1e9).at(-1), '12 d')
  const { percent, moment, end } = createScale(1392)
  t.same([-1, 0, 750, 1500, 9999].map(percent), [0, 0, 50, 100, 100])
  t.equal(moment(1384.27), '1384 ms')
  t.equal(end, 1500)
})

const lane = (more: Partial<Lane>): Lane => ({ number: 1, name: 'crm', kind: 'function', state: 'completed', added: 10, attempts: [], ...more })
const namesOf = (lane: Lane, now = 1000): string[] => segmentsOf(lane, now).map((segment) => segmentName(lane, segment))

t.test('a lane says when its task waited, had an attempt, and was delayed', async (t) => {
  const first = { attempt: 1, from: 20, to: 120, outcome: 'failed' as const }
  t.same(namesOf(lane({ state: 'failed', attempts: [first, { attempt: 2, from: 240, to: 340, outcome: 'failed' }], ended: 340 })), [
    'crm, waiting, 10 ms to 20 ms', 'crm, attempt 1, failed, 20 ms to 120 ms', 'crm, delayed, 120 ms to 240 ms', 'crm, attempt 2, failed, 240 ms to 340 ms'
  ])
  t.same(namesOf(lane({ state: 'waiting' })), ['crm, waiting, since 10 ms'])
  t.same(namesOf(lane({ state: 'active', attempts: [{ attempt: 1, from: 10 }] })), ['crm, attempt 1, active, since 10 ms'])
  t.same(namesOf(lane({ state: 'delayed', attempts: [first], nextAt: 3000 })), [
    'crm, waiting, 10 ms to 20 ms', 'crm, attempt 1, failed, 20 ms to 120 ms', 'crm, delayed, 120 ms to 3000 ms'
  ])
  t.same(namesOf(lane({ state: 'delayed', nextAt: 500 })), ['crm, delayed, 10 ms to 1000 ms'])
  t.same(namesOf(lane({ state: 'skipped', ended: 40 })), ['crm, waiting, 10 ms to 40 ms'])
  t.same(namesOf(lane({ state: 'cancelled', attempts: [first], ended: 200 })).at(-1), 'crm, delayed, 120 ms to 200 ms')
  t.same(namesOf(lane({ attempts: [first, { attempt: 1, from: 500, to: 510, outcome: 'completed' }], ended: 510 })).slice(2), ['crm, attempt 1, completed, 500 ms to 510 ms'],
    'between the end and Retry there is nothing')
})

t.test('a request says how far it is, and where its time line ends', async (t) => {
  const response = { outcome: 'sent' as const, statusCode: 200, at: 50 }
  t.equal(isUnfinished({ lanes: [] }), true)
  t.equal(isUnfinished({ lanes: [lane({})], response }), false)
  t.equal(isUnfinished({ lanes: [lane({ state: 'delayed' })], response }), true)
  t.equal(endOf({ lanes: [lane({ ended: 40 })], response }, 0), 50)
  t.equal(endOf({ lanes: [lane({ state: 'delayed', nextAt: 900 }), lane({ attempts: [{ attempt: 1, from: 60, to: 70 }] })], response }, 100), 900)
  t.equal(summaryOf({ lanes: [lane({}), lane({})] }), '2 tasks completed')
  t.equal(summaryOf({ lanes: [lane({ state: 'failed' }), lane({}), lane({})] }), '3 tasks: 2 completed, 1 failed')
  t.equal(summaryOf({ lanes: [] }), '0 tasks')
})

t.test('a hash is a view, and anything else is the overview', async (t) => {
  const parse = (hash: string): unknown => parseHash(hash)
  t.same(['', '#/', '#/nothing', '#/task/', '#/request/one'].map(parse), Array(5).fill({ view: 'overview' }))
  t.same(parse('#/tasks/failed?name=a%20b&cursor=c'), { view: 'tasks', state: 'failed', name: 'a b', cursor: 'c' })
  t.same(parse('#/tasks/unheard-of'), { view: 'tasks', state: 'active' })
  t.same(parse('#/task/a%2Fb'), { view: 'task', id: 'a/b' })
  t.same(parse('#/task/%'), { view: 'task', id: '%' })
  t.same(parse('#/request/12'), { view: 'request', number: '12' })
  t.equal(tasksHash('failed', { name: 'a b' }), '#/tasks/failed?name=a+b')
  t.same(parse('#/tasks/failed?name=a+b'), { view: 'tasks', state: 'failed', name: 'a b' })
  t.same(['#/', '#/tasks/failed?name=a&cursor=b', '#/task/a%2Fb', '#/request/12'].map((hash) => streamQuery(parseHash(hash))),
    ['view=overview', 'view=tasks%2Ffailed&name=a&cursor=b', 'view=task%2Fa%2Fb', 'view=request%2F12'])
})

t.test('events are read whatever the pieces they come in', async (t) => {
  const text = ': hello\n\nevent: view\ndata: {"a":\ndata: 1}\n\ndata: ü\u2028\n\nevent: nothing\n\nevent: change\ndata: {"b":2}\n\nevent: cut'
  const bytes = new TextEncoder().encode(text)
  for (const size of [1, 7, 1000]) {
    const events: ServerEvent[] = []
    let pieces = 0
    const body = new ReadableStream<Uint8Array>({
      start (controller) {
        for (let from = 0; from < bytes.length; from += size) controller.enqueue(bytes.subarray(from, from + size))
        controller.close()
      }
    })
    await readEvents(body, () => { pieces++ }, (event) => { events.push(event) })
    t.same(events, [{ event: 'view', data: '{"a":\n1}' }, { event: 'message', data: 'ü\u2028' }, { event: 'change', data: '{"b":2}' }])
    t.equal(pieces, Math.ceil(bytes.length / size))
  }
})

t.test('the first sentence says what matters most', async (t) => {
  const counts = { waiting: 0, active: 0, delayed: 0, completed: 5, failed: 0, cancelled: 0, skipped: 0, oldestWaitingMs: 0 }
  const rates = { completed: [9, 9, 9, ...Array(10).fill(2)], delayMs: [900, ...Array(10).fill(3)] }
  const failing = { name: 'crm', kind: 'function', where: 'here', counts, lastFailure: { at: 990_000, message: 'no answer' } }
  const say = (more: object): unknown => {
    const { tone, title, detail } = verdictOf({ counts, rates, ...more } as never, 'connecting', 1_000_000)
    return [tone, title, detail]
  }
  const failed = { counts: { ...counts, failed: 4 } }
  t.same(say({}), ['well', 'All is well', 'Nothing failed, nothing waits, 2 completed per second.'])
  t.same(say({ counts: { ...counts, waiting: 1, oldestWaitingMs: 12 } }), ['well', 'All is well', 'Nothing failed, 1 task waits, the oldest for 12 ms, 2 completed per second.'])
  t.same(say({ ...failed, 'name:crm': failing }), ['bad', '4 failed', 'The last one 10 s ago: crm, no answer'])
  t.same(say({ ...failed, 'name:crm': { ...failing, lastFailure: { at: 0, message: 'no answer' } } }),
    ['look', '4 failed', 'The last one 16 min ago: crm, no answer. Otherwise all is well: nothing waits, 2 completed per second.'])
  t.same(say(failed), ['look', '4 failed', 'All of them before this page began to record. Otherwise all is well: nothing waits, 2 completed per second.'])
  t.same(say({ counts: { ...counts, waiting: 2, oldestWaitingMs: 12_000 } }), ['look', 'Tasks have to wait', '2 tasks wait, the oldest for 12 s, 2 completed per second.'])
  t.match(say({ rates: { ...rates, delayMs: [3, 900] } }), ['look', 'The event loop is held up', /^By 900 ms/])
  t.same(verdictOf({}, 'connecting', 0), { tone: 'unknown', title: 'No numbers yet', detail: 'connecting' })
})
