import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { Screen } from '../../examples/demo/screen.js'
import { oneLine } from '../../examples/one-line-log.js'

/** A screen, and what it writes. */
function createScreen (isTTY: boolean, hasColors: boolean): { screen: Screen, written: () => string } {
  let text = ''
  const screen = new Screen({
    isTTY,
    hasColors: () => hasColors,
    write (chunk: string | Uint8Array) {
      text += String(chunk)
      return true
    }
  })
  return { screen, written: () => text }
}

t.test('the demo has colours on a terminal that has them, and nowhere else', async (t) => {
  for (const [isTTY, hasColors] of [[true, true], [true, false], [false, true]] as const) {
    const { screen, written } = createScreen(isTTY, hasColors)
    screen.heading('scene')
    screen.line({ lane: 'client', text: '201', ms: 3 })
    screen.line({ lane: 'app', text: 'failed', ms: 4, mood: 'bad' })
    screen.bar('plugin', 5, 10, 'good')
    t.equal(written().includes('\u001b['), isTTY && hasColors)
    t.match(stripVTControlCharacters(written()), /^\nscene\n {4}3 ms {2}201\n {4}4 ms {27}failed\n {10}plugin {24}█{15} 5 ms\n$/)
  }
})

t.test('on a terminal progress is one line below all others, drawn again and again', async (t) => {
  const { screen, written } = createScreen(true, false)
  screen.progress(0.2)
  screen.progress(0.6)
  screen.line({ lane: 'app', text: 'completed', ms: 5 })
  screen.progress(1)
  screen.note('end')
  // As a terminal shows it: what is behind the last return of a line has replaced what was before.
  const lines = written().split('\n').map((line) => line.split('\r\u001b[K').at(-1))
  t.same(lines.map((line) => line!.trim()), ['5 ms                           completed', '███████████████ 100 %', 'end', ''])
  t.match(written(), /███░+ 20 %.*█████████░+ 60 %/s)
})

t.test('elsewhere only complete progress is written', async (t) => {
  const { screen, written } = createScreen(false, false)
  for (const done of [0.2, 0.6, 1]) screen.progress(done)
  t.equal(written().trim(), '███████████████ 100 %')
})

t.test('a log line of npm start is one line, with what the line of JSON has', async (t) => {
  const line = (fields: object): string => oneLine(JSON.stringify({ level: 40, time: Date.now(), pid: 1, hostname: 'h', msg: 'oops', ...fields }))
  t.match(line({ reqId: 'req-7', task: 'mail', delay: 5, err: { message: 'no\n  luck', stack: 'long' } }),
    /^\d\d:\d\d:\d\d\.\d{3} warn {2}req-7 {2}oops: no luck task=mail delay=5$/)
  t.match(line({ req: { method: 'GET', url: '/', host: 'x' } }), / warn {9}oops GET \/$/)
  t.match(line({ res: { statusCode: 201 }, responseTime: 2.6 }), / oops 201 in 3 ms$/)
  t.match(line({ err: { message: 'oops' }, tasks: [{ name: 'mail' }] }), / oops tasks=\[\{"name":"mail"\}\]$/)
})
