/** Who does something: each has a column of its own. */
export type Lane = 'client' | 'app'

/** Whether a line tells of a success or of a failure. */
export type Mood = 'good' | 'bad'

export interface Line {
  lane: Lane
  text: string
  /** Since the scene began. The client tells its times itself. */
  ms?: number
  mood?: Mood
}

/** What the screen needs of a stream. */
export type Output = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'hasColors'>

// For terminals of 80 columns.
const TIME_WIDTH = 10
const CLIENT_WIDTH = 25
const LABEL_WIDTH = 30
const BAR_WIDTH = 30
const PROGRESS_WIDTH = 15

const codes = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 }
type Style = keyof typeof codes

const indent = ' '.repeat(TIME_WIDTH)

/** Writes the demo: in colour on a terminal that has it, and without NO_COLOR. */
export class Screen {
  readonly #out: Output
  readonly #hasColors: boolean
  /** The progress that is drawn on the last line of a terminal. */
  #progress = ''

  constructor (out: Output = process.stdout) {
    this.#out = out
    this.#hasColors = out.isTTY && out.hasColors()
  }

  title (text: string): void {
    this.#write(this.#style(text, 'bold'))
  }

  heading (text: string): void {
    this.#write(`\n${this.#style(text, 'bold')}`)
  }

  note (text: string): void {
    this.#write(indent + this.#style(text, 'dim'))
  }

  /** The names of the columns. */
  lanes (): void {
    this.note('client'.padEnd(CLIENT_WIDTH) + 'app and tasks')
  }

  line ({ lane, text, ms, mood }: Line): void {
    const time = ms === undefined ? indent : this.#style(`${Math.round(ms)} ms  `.padStart(TIME_WIDTH), 'dim')
    const style = mood === undefined ? (lane === 'client' ? 'cyan' : undefined) : this.#styleOf(mood)
    this.#write(time + ' '.repeat(lane === 'client' ? 0 : CLIENT_WIDTH) + this.#style(text, style))
  }

  /** A statement about what has been seen. */
  finding (text: string): void {
    this.#write(indent + this.#style(`✓ ${text}`, 'green'))
  }

  /** A time, and how long it is beside the longest one. */
  bar (label: string, ms: number, longest: number, mood: Mood): void {
    const blocks = '█'.repeat(Math.max(1, Math.round(ms / longest * BAR_WIDTH)))
    this.#write(`${indent}${label.padEnd(LABEL_WIDTH)}${this.#style(blocks, this.#styleOf(mood))} ${Math.round(ms)} ms`)
  }

  /** Draws the progress of the client on one line, below all others until it is complete. */
  progress (done: number): void {
    const blocks = Math.round(done * PROGRESS_WIDTH)
    const bar = '█'.repeat(blocks) + '░'.repeat(PROGRESS_WIDTH - blocks)
    const line = `${indent}${this.#style(`${bar} ${Math.round(done * 100)} %`, 'cyan')}`
    if (done >= 1) {
      this.#erase()
      this.#progress = ''
      this.#write(line)
    } else if (this.#out.isTTY) {
      this.#erase()
      this.#progress = line
      this.#out.write(line)
    }
  }

  #styleOf (mood: Mood): Style {
    return mood === 'good' ? 'green' : 'red'
  }

  #write (line: string): void {
    this.#erase()
    this.#out.write(`${line}\n${this.#progress}`)
  }

  #erase (): void {
    if (this.#progress !== '') this.#out.write('\r\u001b[K')
  }

  #style (text: string, style: Style | undefined): string {
    return style === undefined || !this.#hasColors ? text : `\u001b[${codes[style]}m${text}\u001b[0m`
  }
}
