import { Picture, type Point, type Tone } from './draw.js'

const QUESTIONS: ReadonlyArray<readonly [question: string[], answer: string[], tone: Tone]> = [
  [['Does it run at set times,', 'not for a request?'], ['named task', 'with a schedule'], 'violet'],
  [['Does it compute', 'for more than 10 ms?'], ['named task', 'with a file'], 'amber'],
  [['Must it survive', 'a crash of the process?'], ['named task', 'with Redis or PostgreSQL'], 'green'],
  [['Does a client ask', 'for its result later?'], ['named task', 'with a result schema'], 'blue']
]

/** Which kind of task a piece of work should be. */
export function kinds (): Picture {
  const picture = new Picture(760, 392, 'Which kind of task?',
    'Work at set times: a named task with a schedule. Work that computes for more than 10 ms: a named task with a file. ' +
    'Work that must survive a crash: a named task with Redis or PostgreSQL. A result that a client asks for later: a named task with a result schema. Everything else: a function.')
  const [width, height]: Point = [250, 52]
  const step = 74
  for (const [index, [question, answer, tone]] of QUESTIONS.entries()) {
    const y = 20 + index * step
    picture.box([40, y], [width, height], 'plain', question, { bold: false, round: 26 })
      .arrow([[40 + width, y + height / 2], [470, y + height / 2]])
      .text([380, y + height / 2 - 13], 'yes', { bold: true, anchor: 'middle' })
      .box([470, y], [width, height], tone, answer)
      .arrow([[165, y + height], [165, y + step]])
      .text([178, y + height + 10], 'no', { bold: true })
  }
  return picture.box([40, 20 + QUESTIONS.length * step], [width, height], 'plain', ['a function'], { bold: true })
    .text([310, 20 + QUESTIONS.length * step + height / 2], 'add(fn, ...args)', { mono: true, size: 13 })
}
