import { Picture } from './draw.js'

/** The 99th percentile of other requests during bursts, in milliseconds. The table of docs/benchmarks.md has the same figures. */
export const P99_MS: ReadonlyArray<readonly [server: string, ms: number]> = [
  ['this plugin', 4.2],
  ['a list by hand', 203]
]

/** What a burst of tasks costs other requests. */
export function bursts (): Picture {
  const picture = new Picture(760, 172, 'How long other requests take during a burst of tasks',
    `At the 99th percentile, ${P99_MS.map(([server, ms]) => `${ms} ms with ${server}`).join(' and ')}.`)
  const longest = Math.max(...P99_MS.map(([, ms]) => ms))
  picture.text([20, 28], 'how long other requests take during a burst of tasks, 99th percentile', { bold: true })
  for (const [index, [server, ms]] of P99_MS.entries()) {
    const y = 72 + index * 52
    const end = 172 + 470 * ms / longest
    picture.text([160, y], server, { anchor: 'end' })
      .box([172, y - 15], [end - 172, 30], index === 0 ? 'green' : 'red', [], { round: 2 })
      .text([end + 10, y], `${ms} ms`, { bold: true })
  }
  return picture
}
