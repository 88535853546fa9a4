import t from 'tap'
import { readSchedules } from '../../lib/stored/cron.js'
import { Ticks } from '../../lib/stored/ticks.js'
import { defineTask } from '../../index.js'
import { Registry } from '../../lib/named/registry.js'

/** The ticks of a schedule, with times in ISO 8601. */
async function follow (cron: string, now: string, timezone?: string): Promise<{ look: (now: string) => string[], next: () => string }> {
  const registry = new Registry({ when: 'always', timeout: undefined, retry: undefined, around: undefined })
  const schedule = { cron, ...(timezone !== undefined && { timezone }) }
  registry.register([defineTask({ name: 'work', payload: {}, schedule, handler () {} })])
  const [nextAfter] = await readSchedules(registry.scheduled)
  const ticks = new Ticks(nextAfter!, Date.parse(now))
  const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')
  return { look: (now) => ticks.look(Date.parse(now)).map(iso), next: () => iso(ticks.next) }
}

/** The next ticks from a time on. */
async function ticksFrom (count: number, cron: string, now: string, timezone?: string): Promise<string[]> {
  const ticks = await follow(cron, now, timezone)
  return Array.from({ length: count }, () => ticks.look(ticks.next())).flat()
}

t.test('five fields tick at minutes, six at seconds, in UTC', async (t) => {
  t.same(await ticksFrom(2, '30 4 * * *', '2026-01-01T04:30:00Z'), ['2026-01-02T04:30:00Z', '2026-01-03T04:30:00Z'])
  t.same(await ticksFrom(2, '*/20 * * * * *', '2026-01-01T00:00:00.001Z'), ['2026-01-01T00:00:20Z', '2026-01-01T00:00:40Z'])
})

t.test('a time of day that summer time leaves out comes when the hour is over, one that comes twice ticks once', async (t) => {
  t.same(await ticksFrom(3, '30 2 * * *', '2026-03-27T12:00:00Z', 'Europe/Berlin'),
    ['2026-03-28T01:30:00Z', '2026-03-29T01:00:00Z', '2026-03-30T00:30:00Z'])
  t.same(await ticksFrom(3, '30 2 * * *', '2026-10-23T12:00:00Z', 'Europe/Berlin'),
    ['2026-10-24T00:30:00Z', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'])
})

t.test('a time of day after the change ticks once on each day, an hour of UTC earlier or later', async (t) => {
  t.same(await ticksFrom(2, '0 3 * * *', '2026-03-28T12:00:00Z', 'Europe/Berlin'), ['2026-03-29T01:00:00Z', '2026-03-30T01:00:00Z'])
  t.same(await ticksFrom(2, '0 3 * * *', '2026-10-24T12:00:00Z', 'Europe/Berlin'), ['2026-10-25T02:00:00Z', '2026-10-26T02:00:00Z'])
})

t.test('every half hour stays every half hour when summer time begins and ends', async (t) => {
  for (const day of ['2026-03-29', '2026-10-25']) {
    t.same(await ticksFrom(4, '*/30 * * * *', `${day}T00:00:00Z`, 'Europe/Berlin'),
      [`${day}T00:30:00Z`, `${day}T01:00:00Z`, `${day}T01:30:00Z`, `${day}T02:00:00Z`])
  }
})

t.test('each tick comes once, in order, also when a look is late by up to a minute', async (t) => {
  const ticks = await follow('*/20 * * * * *', '2026-01-01T00:00:00Z')
  t.same(ticks.look('2026-01-01T00:00:19.999Z'), [])
  t.same(ticks.look('2026-01-01T00:00:20Z'), ['2026-01-01T00:00:20Z'])
  t.same(ticks.look('2026-01-01T00:00:20Z'), [])
  t.same(ticks.look('2026-01-01T00:01:20Z'), ['2026-01-01T00:00:40Z', '2026-01-01T00:01:00Z', '2026-01-01T00:01:20Z'])
  t.equal(ticks.next(), '2026-01-01T00:01:40Z')
})

t.test('ticks that are more than a minute late are missed', async (t) => {
  const ticks = await follow('0 * * * *', '2026-01-01T00:30:00Z')
  t.same(ticks.look('2026-01-01T03:01:00Z'), ['2026-01-01T03:00:00Z'])
  t.same(ticks.look('2026-01-01T06:01:00.001Z'), [])
  t.equal(ticks.next(), '2026-01-01T07:00:00Z')
})

t.test('a clock that was set back has the ticks come again, and nothing before', async (t) => {
  const ticks = await follow('0 * * * *', '2026-01-01T05:30:00Z')
  t.same(ticks.look('2026-01-01T06:00:01Z'), ['2026-01-01T06:00:00Z'])
  t.same(ticks.look('2026-01-01T05:59:59Z'), [])
  t.equal(ticks.next(), '2026-01-01T06:00:00Z')
  t.same(ticks.look('2026-01-01T06:00:00Z'), ['2026-01-01T06:00:00Z'])
  t.same(ticks.look('2026-01-01T02:30:00Z'), [])
  t.equal(ticks.next(), '2026-01-01T03:00:00Z')
})
