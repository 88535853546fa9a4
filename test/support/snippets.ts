import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Block, blocksIn, root } from './pages.js'

interface Manifest {
  name: string
  exports: Record<string, { import: { default: string } }>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

export const preludePath = join(root, 'test/fixtures/docs-prelude.ts')
const prelude = readFileSync(preludePath, 'utf8')
const preludeLines = prelude.split('\n').length

/** Parts of programs, in TypeScript. Each of them runs behind the prelude. */
export const parts = blocksIn('ts')
/** Whole programs. */
export const programs = blocksIn('js')

/** The source file of each import that the package offers, from the root. */
export const sources = new Map(Object.entries(manifest.exports).map(([subpath, { import: { default: path } }]) =>
  [manifest.name + subpath.slice(1), path.replace('./dist/esm/', '')]))

const REDIS_PORT = 'port: 6379'
const SMTP_PORT = 'port: 1025'

export function needsRedis ({ text }: Block): boolean {
  return text.includes(REDIS_PORT)
}

export function needsPostgres ({ text }: Block): boolean {
  return text.includes('postgresUrl')
}

export function needsRabbitmq ({ text }: Block): boolean {
  return text.includes('RABBITMQ_URL')
}

export function needsSmtp ({ text }: Block): boolean {
  return text.includes(SMTP_PORT)
}

/** Types that the prelude has already. */
const KNOWN_TYPES = /^import type \{ (?:Task|RequestBackgroundTasks) \} from 'fastify-background-tasks'$/gm

/** A part made whole, for servers of the test's own. A part that registers the plugin does so in the place of the prelude. */
export function complete ({ text }: Block): string {
  const registers = text.includes('app.register(backgroundTasks')
  const before = registers ? prelude.replace('await app.register(backgroundTasks)\n', '\n') : prelude
  return before + text.replace(KNOWN_TYPES, '').replaceAll(REDIS_PORT, 'port: redisPort').replaceAll(SMTP_PORT, 'port: smtpPort')
}

/** Where a line of a completed part stands in its page. */
export function placeOf ({ page, line }: Block, completedLine: number): string {
  return `${page}:${line + completedLine - preludeLines + 1}`
}

/** The code with sources for imports of the package. */
export function fromSources (text: string): string {
  return text.replace(/(?<=from ')([^']+)(?=')/g, (specifier) => {
    const path = specifier.startsWith('../../') ? specifier.slice('../../'.length) : sources.get(specifier)
    return path === undefined ? specifier : new URL(`../../${path}`, import.meta.url).href
  })
}
