import { Picture } from './draw.js'

const LEFT = 176
const RIGHT = 736
const PER_SECOND = 36

/** How long each gives a process by default, in seconds, and the option that gives it longer. */
export const LIMITS: ReadonlyArray<readonly [who: string, seconds: number, option: string]> = [
  ['fastify-cli', 0.5, '--close-grace-delay'],
  ['PM2', 1.6, 'kill_timeout'],
  ['close-with-grace', 10, 'delay'],
  ['Docker', 10, 'stop_grace_period'],
  ['Kubernetes', 30, 'terminationGracePeriodSeconds'],
  ['systemd', 90, 'TimeoutStopSec']
]

const at = (seconds: number): number => LEFT + seconds * PER_SECOND

/** What `app.close()` does when, and what kills the process before its end. */
export function shutdown (): Picture {
  const picture = new Picture(760, 452, 'Shutdown in time',
    'Two seconds for requests in flight, ten seconds of closeTimeout for tasks, one second after the abort, then the onClose hooks. ' +
    LIMITS.map(([who, seconds]) => `${who} kills the process after ${seconds} seconds`).join(', ') + ', unless told otherwise.')
  const end = at(13)

  picture.text([20, 30], 'SIGTERM', { bold: true })
  for (const [seconds, label] of [[0, '0 s'], [2, '2 s'], [12, '12 s'], [13, '13 s']] as const) {
    picture.text([at(seconds), 30], label, { size: 12, soft: true, anchor: seconds === 12 ? 'end' : seconds === 13 ? 'start' : 'middle' })
      .arrow([[at(seconds), 40], [at(seconds), 52]], { plain: true })
  }

  picture.text([20, 74], 'app.close()', { mono: true, size: 13 })
    .box([at(0), 56], [at(2) - at(0), 36], 'plain', 'requests', { size: 13, round: 0 })
    .box([at(2), 56], [at(12) - at(2), 36], 'blue', 'tasks, up to closeTimeout', { size: 13, round: 0 })
    .box([at(12), 56], [at(13) - at(12), 36], 'amber', '+1 s', { size: 12, round: 0 })
    .box([at(13), 56], [RIGHT - end, 36], 'green', 'onClose', { size: 13, round: 0 })
    .text([at(0), 112], 'those in flight', { size: 12, soft: true })
    .text([at(12) - 6, 112], 'signals abort, the rest is named in the log', { size: 12, soft: true, anchor: 'end' })
    .text([end + 6, 112], 'database closes', { size: 12, soft: true })

  picture.text([20, 152], 'killed by default after', { bold: true })
    .arrow([[end, 100], [end, 436]], { dashed: true, plain: true })
  for (const [index, [who, seconds, option]] of LIMITS.entries()) {
    const y = 184 + index * 44
    const isLate = at(seconds) > end
    const bar = isLate ? RIGHT : at(seconds)
    picture.text([20, y], who)
      .box([LEFT, y - 12], [bar - LEFT, 24], isLate ? 'green' : 'red', [], { round: 0 })
    if (isLate) picture.text([end - 10, y], `${seconds} s: long enough`, { size: 13, anchor: 'end' })
    else if (seconds > 5) picture.text([bar - 10, y], `${seconds} s: too short`, { size: 13, anchor: 'end' })
    else picture.text([bar + 10, y], `${seconds} s: too short`, { size: 13 })
    picture.text([LEFT + (isLate || seconds > 5 ? 10 : 210), y], option, { mono: true, size: 12 })
  }
  return picture
}
