import { median, quantile } from './statistics.js'

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

/** The median, with the smallest and the largest value beside it. */
export function withSpread (values: number[], digits = 2): string {
  const [mid, min, max] = [median(values), quantile(values, 0), quantile(values, 1)].map(value => value.toFixed(digits))
  return `${mid} (${min}..${max})`
}
