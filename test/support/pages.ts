import { readFileSync, readdirSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A fenced block of code. */
export interface Block {
  readonly page: string
  /** The heading that the block stands under. The second block of a language under one heading has " (2)" behind it. */
  readonly key: string
  readonly line: number
  readonly language: string
  readonly text: string
}

export interface Page {
  /** The path from the root. */
  readonly path: string
  readonly text: string
  readonly blocks: readonly Block[]
}

export const root = fileURLToPath(new URL('../..', import.meta.url))

function blocksOf (page: string, text: string): Block[] {
  const seen = new Map<string, number>()
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(({ 1: language = '', 2: block = '', index }) => {
    const before = text.slice(0, index)
    const prose = before.replace(/^```.*?^```$/gms, '')
    const heading = [...prose.matchAll(/^#+ (.+)$/gm)].at(-1)?.[1] ?? ''
    const count = (seen.get(language + heading) ?? 0) + 1
    seen.set(language + heading, count)
    return { page, key: count === 1 ? heading : `${heading} (${count})`, line: before.split('\n').length + 1, language, text: block }
  })
}

function read (path: string): Page {
  const text = readFileSync(join(root, path), 'utf8')
  return { path, text, blocks: blocksOf(path, text) }
}

const guides = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
  .map((path) => posix.join('docs', path.replaceAll(sep, '/')))
  .filter((path) => path.endsWith('.md'))

/** The README, and each page of docs. */
export const pages: readonly Page[] = ['README.md', ...guides.sort()].map(read)

export function blocksIn (language: string): Block[] {
  return pages.flatMap(({ blocks }) => blocks.filter((block) => block.language === language))
}

export function pageAt (path: string): Page {
  const page = pages.find((page) => page.path === path)
  if (page === undefined) throw new Error(`there is no page ${path}`)
  return page
}

/** The rows of the tables whose first column has this title, without the header. */
export function tableRows (page: Page, title: string): string[][] {
  const lines = page.text.split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${title} |`))
  if (start < 0) throw new Error(`${page.path} has no table of "${title}"`)
  const rows = lines.slice(start + 2)
  return rows
    .slice(0, rows.findIndex((line) => !line.startsWith('|')))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim()))
}
