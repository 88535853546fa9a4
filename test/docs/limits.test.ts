import t from 'tap'
import { LIMITS } from '../../docs/images/shutdown.js'
import { membersOf } from '../support/docs-program.js'
import { pageAt, pages } from '../support/pages.js'

t.setTimeout(180_000)

/** How each setting is written, and how many ms its number stands for. */
const SETTINGS: ReadonlyArray<readonly [setting: RegExp, unitMs: number]> = [
  [/closeWithGrace\(\{ delay: ([\d_]+)/g, 1],
  [/docker stop -t (\d+)/g, 1000],
  [/stop_grace_period: (\d+)s/g, 1000],
  [/terminationGracePeriodSeconds: (\d+)/g, 1000],
  [/TimeoutStopSec=(\d+)/g, 1000],
  [/"kill_timeout": (\d+)/g, 1],
  [/--close-grace-delay (\d+)/g, 1],
  [/FASTIFY_CLOSE_GRACE_DELAY=(\d+)/g, 1]
]

t.test('every limit that a page sets is longer than closeTimeout and the second after it', async (t) => {
  const closeTimeoutMs = Number(membersOf('BackgroundTasksOptions').get('closeTimeout'))
  const preStopMs = Number(/preStop:[^]*?'sleep', '(\d+)'/.exec(pageAt('docs/production.md').text)?.[1]) * 1000
  for (const [setting, unitMs] of SETTINGS) {
    const found = pages.flatMap(({ path, text }) => [...text.matchAll(setting)].map(([whole, value = '']) =>
      ({ path, whole, ms: Number(value.replaceAll('_', '')) * unitMs - (whole.startsWith('termination') ? preStopMs : 0) })))
    t.not(found.length, 0, `${setting} is found`)
    for (const { path, whole, ms } of found) t.ok(ms > closeTimeoutMs + 1000, `${path}: ${whole}`)
  }
})

t.test('the page has the limits of the picture', async (t) => {
  const { text } = pageAt('docs/production.md')
  for (const [who, seconds, option] of LIMITS) {
    t.ok(text.includes(`${who} gives ${seconds} seconds`), who)
    t.ok(text.includes(option), option)
  }
})
