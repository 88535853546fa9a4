import { quantile } from './statistics.js'

/** A Markdown table, padded so that it reads well in a terminal too. */
export function markdownTable (head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(...[head, ...rows].map(row => (row[column] ?? '').length)))
  const line = (cells: string[]) => `| ${widths.map((width, column) => pad(cells[column] ?? '', width, column)).join(' | ')} |`
  const rule = widths.map((width, column) => column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)].join('\n')
}

function pad (cell: string, width: number, column: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}

/** The median, with the quantiles `cut` and `1 - cut` beside it: the smallest and the largest value unless told otherwise. */
export function withSpread (values: number[], digits = 2, cut = 0): string {
  const [mid, low, high] = [0.5, cut, 1 - cut].map(share => quantile(values, share).toFixed(digits))
  return `${mid} (${low}..${high})`
}
