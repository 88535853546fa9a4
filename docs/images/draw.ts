/** The colours of a thing: its area, and its edge. Words stand in the colour of ink, so no state is told by colour alone. */
export type Tone = 'plain' | 'blue' | 'green' | 'red' | 'amber' | 'violet'

export type Point = readonly [x: number, y: number]

export interface Style {
  size?: number
  bold?: boolean
  /** Code. */
  mono?: boolean
  /** In a fainter colour. */
  soft?: boolean
  anchor?: 'start' | 'middle' | 'end'
}

interface Area {
  readonly what: string
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

interface Edge {
  dashed?: boolean
  /** Draws no head. */
  plain?: boolean
  tone?: Tone
}

const SIZE = 14

/** Colours of light and dark, the same as those of the pages that show the pictures. */
const SCHEMES = {
  light: {
    paper: '#ffffff',
    ink: '#1f2328',
    soft: '#59636e',
    line: '#6e7781',
    plain: ['#f6f8fa', '#8c959f'],
    blue: ['#ddf4ff', '#0969da'],
    green: ['#dafbe1', '#1a7f37'],
    red: ['#ffebe9', '#cf222e'],
    amber: ['#fff8c5', '#9a6700'],
    violet: ['#fbefff', '#8250df']
  },
  dark: {
    paper: '#0d1117',
    ink: '#e6edf3',
    soft: '#9da7b1',
    line: '#8b949e',
    plain: ['#1b222b', '#6e7681'],
    blue: ['#10243e', '#4493f8'],
    green: ['#11291a', '#3fb950'],
    red: ['#331417', '#f85149'],
    amber: ['#2b2208', '#d29922'],
    violet: ['#241a3b', '#ab7df8']
  }
} as const

const TONES: Tone[] = ['plain', 'blue', 'green', 'red', 'amber', 'violet']

/** How much wider than Helvetica the font of a reader may be, as Verdana and DejaVu Sans are. */
const SLACK = 1.15

/** Widths of Helvetica in thousandths of its size. Any other character counts as a wide one. */
const WIDTHS: ReadonlyArray<readonly [characters: string, width: number]> = [
  ["ijl'|", 222], ['It.,:;/!·fr()[] -`', 290], ['Jckszvxy', 500], ['abdeghnopqu0123456789L?+<>=_*…', 556], ['FTZEPXYKBASVw&', 667], ['CDHNRUG', 722],
  ['OQ', 778], ['mM%', 860], ['W', 944]
]

/** How wide a text may be. */
export function widthOf (text: string, { size = SIZE, bold = false, mono = false }: Style = {}): number {
  if (mono) return [...text].length * size * 0.6
  const thousandths = [...text].reduce((sum, character) => sum + (WIDTHS.find(([characters]) => characters.includes(character))?.[1] ?? 778), 0)
  return thousandths / 1000 * size * SLACK * (bold ? 1.07 : 1)
}

function escapeXml (text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

const round = (value: number): number => Math.round(value * 10) / 10

function rules (scheme: keyof typeof SCHEMES): string {
  const colours = SCHEMES[scheme]
  return [
    `.paper{fill:${colours.paper}}`,
    `text{fill:${colours.ink}}`,
    `.soft{fill:${colours.soft}}`,
    `.edge{stroke:${colours.line}}`,
    `.head{fill:${colours.line}}`,
    `.frame{stroke:${colours.plain[1]}}`,
    ...TONES.map((tone) => `.${tone}{fill:${colours[tone][0]};stroke:${colours[tone][1]}}.${tone}-edge{stroke:${colours[tone][1]}}.${tone}-head{fill:${colours[tone][1]}}`)
  ].join('')
}

function isInside (inner: Area, outer: Area): boolean {
  return inner.left >= outer.left && inner.right <= outer.right && inner.top >= outer.top && inner.bottom <= outer.bottom
}

function overlap (a: Area, b: Area, apart: number): boolean {
  return a.left < b.right + apart && b.left < a.right + apart && a.top < b.bottom && b.top < a.bottom
}

/** A picture that is drawn piece by piece, and knows where its words are. */
export class Picture {
  readonly width: number
  readonly height: number
  readonly #title: string
  readonly #description: string
  readonly #pieces: string[] = []
  readonly #words: Area[] = []
  readonly #boxes: Area[] = []
  readonly #lines: Area[] = []
  readonly #problems: string[] = []

  constructor (width: number, height: number, title: string, description: string) {
    this.width = width
    this.height = height
    this.#title = title
    this.#description = description
  }

  /** Writes lines of text. `y` is the middle of the first line. */
  text ([x, y]: Point, text: string | string[], style: Style = {}): this {
    const { size = SIZE, bold = false, mono = false, soft = false, anchor = 'start' } = style
    for (const [index, line] of [text].flat().entries()) {
      const middle = y + index * size * 1.35
      const width = widthOf(line, style)
      const left = anchor === 'start' ? x : anchor === 'middle' ? x - width / 2 : x - width
      this.#words.push({ what: line, left, top: middle - size * 0.55, right: left + width, bottom: middle + size * 0.55 })
      const names = [bold && 'bold', mono && 'mono', soft && 'soft'].filter(Boolean).join(' ')
      this.#pieces.push(`<text x="${round(x)}" y="${round(middle + size * 0.35)}"` +
        (size === SIZE ? '' : ` style="font-size:${size}px"`) + (anchor === 'start' ? '' : ` text-anchor="${anchor}"`) +
        (names === '' ? '' : ` class="${names}"`) + `>${escapeXml(line)}</text>`)
    }
    return this
  }

  /** Draws a box with lines of text in its middle. The first line is bold if there are more. */
  box ([x, y]: Point, [width, height]: Point, tone: Tone, text: string | string[] = [], style: Style & { dashed?: boolean, round?: number } = {}): this {
    const { dashed = false, round: radius = 6, ...words } = style
    this.#pieces.push(`<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${radius}" class="${tone}"` +
      (dashed ? ' stroke-dasharray="5 4"' : '') + '/>')
    this.#boxes.push({ what: 'a box', left: x, top: y, right: x + width, bottom: y + height })
    const lines = [text].flat()
    const { size = SIZE } = words
    const first = y + height / 2 - (lines.length - 1) * size * 1.35 / 2
    for (const [index, line] of lines.entries()) {
      const own: Style = { ...words, anchor: 'middle', bold: words.bold ?? (lines.length > 1 && index === 0) }
      if (widthOf(line, own) > width - 8) this.#problems.push(`"${line}" is wider than its box`)
      this.text([x + width / 2, first + index * size * 1.35], line, own)
    }
    return this
  }

  /** Draws a dashed frame around other things, with its name in the corner. */
  area ([x, y]: Point, [width, height]: Point, name: string): this {
    this.#pieces.push(`<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="8" class="area frame"/>`)
    return this.text([x + 12, y + 16], name, { size: 12, soft: true })
  }

  /** Draws a line through points, with a head at its end. */
  arrow (points: Point[], { dashed = false, plain = false, tone }: Edge = {}): this {
    const colour = tone === undefined ? 'edge' : `${tone}-edge`
    const path = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`).join(' ')
    this.#pieces.push(`<path d="${path}" class="line ${colour}"${dashed ? ' stroke-dasharray="5 4"' : ''}/>`)
    for (const [index, [x, y]] of points.slice(1).entries()) {
      const [fromX, fromY] = points[index]!
      // Only what is drawn along an axis is known to cross a word.
      if (x !== fromX && y !== fromY) continue
      this.#lines.push({ what: 'a line', left: Math.min(x, fromX), top: Math.min(y, fromY), right: Math.max(x, fromX), bottom: Math.max(y, fromY) })
    }
    const [from, to] = points.slice(-2) as [Point, Point]
    if (!plain) this.#head(from, to, tone)
    return this
  }

  #head ([fromX, fromY]: Point, [x, y]: Point, tone: Tone | undefined): void {
    const angle = Math.atan2(y - fromY, x - fromX)
    const corner = (turn: number): string => `${round(x - 9 * Math.cos(angle + turn))} ${round(y - 9 * Math.sin(angle + turn))}`
    this.#pieces.push(`<path d="M${round(x)} ${round(y)} L${corner(0.42)} L${corner(-0.42)} Z" class="${tone === undefined ? 'head' : `${tone}-head`}"/>`)
  }

  /** What a reader would stumble over: words that overlap, are crossed by a line, or leave the picture or their box. */
  problems (): string[] {
    const outside = this.#words.filter((word) => !isInside(word, { what: '', left: 6, top: 4, right: this.width - 6, bottom: this.height - 4 }))
    const overlaps = this.#words.flatMap((word, index) => [
      ...this.#words.slice(index + 1).filter((other) => overlap(word, other, 4)),
      ...this.#boxes.filter((box) => overlap(word, box, 0) && !isInside(word, box)),
      ...this.#lines.filter((line) => overlap(word, line, 2) && !this.#boxes.some((box) => isInside(word, box)))
    ].map(({ what }) => `"${word.what}" overlaps ${what}`))
    return [...this.#problems, ...outside.map(({ what }) => `"${what}" leaves the picture`), ...overlaps]
  }

  toString (): string {
    const { width, height } = this
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
      `<title id="title">${escapeXml(this.#title)}</title>`,
      `<desc id="description">${escapeXml(this.#description)}</desc>`,
      '<style>',
      'text{font:14px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;stroke:none}.bold{font-weight:600}' +
      '.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}.line{fill:none;stroke-width:1.5}.area{fill:none;stroke-dasharray:5 4}',
      rules('light'),
      `@media (prefers-color-scheme:dark){${rules('dark')}}`,
      '</style>',
      `<rect x=".5" y=".5" width="${width - 1}" height="${height - 1}" rx="8" class="paper frame"/>`,
      ...this.#pieces,
      '</svg>',
      ''
    ].join('\n')
  }
}
