import { Picture, type Point } from './draw.js'

const CLIENTS: Point = [20, 96]
const WEB: Point = [196, 328]
const STORE: Point = [426, 536]
const WORKERS: Point = [636, 740]

/** Web processes, a store and workers. */
export function processes (): Picture {
  const picture = new Picture(760, 262, 'Web processes, a store and workers',
    'A client sends a request to a web process, which stores a task in Redis, Valkey or PostgreSQL. When the task is stored, the web process replies 202. ' +
    'A worker takes the task. When that worker is killed, another worker runs the task again within 15 seconds. Another web process can tell the state of the task.')
  const box = ([left, right]: Point, y: number, height: number, ...rest: [tone: 'plain' | 'blue' | 'green' | 'red', lines: string[]]): void => {
    picture.box([left, y], [right - left, height], ...rest, { size: 13, ...(rest[1].length === 1 && { bold: true }) })
  }
  /** An arrow from one column to the next, with a word at its middle. */
  const step = (from: number, to: number, y: number, word: string, below = false, tone?: 'green' | 'red'): void => {
    picture.arrow([[from, y], [to, y]], tone === undefined ? {} : { tone })
      .text([(from + to) / 2, below ? y + 15 : y - 14], word, { size: 12, anchor: 'middle', bold: tone === 'green' })
  }

  box(CLIENTS, 30, 202, 'plain', ['clients'])
  box(WEB, 42, 62, 'blue', ['web process', 'worker: false'])
  box(WEB, 158, 62, 'blue', ['web process', 'worker: false'])
  box(STORE, 30, 202, 'green', ['the store', 'Redis,', 'Valkey or', 'PostgreSQL'])
  box(WORKERS, 42, 62, 'red', ['worker', 'kill -9'])
  box(WORKERS, 158, 62, 'blue', ['worker', 'worker: true'])

  step(CLIENTS[1], WEB[0], 60, '1 request')
  step(WEB[1], STORE[0], 60, '2 store')
  step(STORE[0], WEB[1], 86, '3 stored', true)
  step(WEB[0], CLIENTS[1], 86, '4 reply 202', true, 'green')
  step(STORE[1], WORKERS[0], 73, '5 task')
  step(STORE[1], WORKERS[0], 178, '6 again', false)
  step(WORKERS[0], STORE[1], 202, '7 result', true)
  step(CLIENTS[1], WEB[0], 178, 'GET /tasks/:id')
  step(WEB[0], CLIENTS[1], 202, 'its state', true)
  step(STORE[0], WEB[1], 190, 'look up', true)
  return picture.text([(STORE[1] + WORKERS[0]) / 2, 131], 'within 15 s', { size: 12, anchor: 'middle' })
}
